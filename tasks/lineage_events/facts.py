"""What is known of a run when it begins, and what it leaves behind."""

from dataclasses import dataclass

from mixmatch.config import RunConfig
from mixmatch.records import DataRecord
from tasks.checkpoint import LocatedCheckpoint
from tasks.data import LocatedData
from tasks.site import Site
from tasks.summary import RunSummary


@dataclass(frozen=True, slots=True)
class FlowId:
    """A run of a Prefect flow.

    Attributes:
        run_id: a UUID.
        name: of the flow.
    """

    run_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Began:
    """What is known of a run when it begins.

    Attributes:
        flow: the run of the flow, whose id is also that of the events.
        config: the run file.
        site: workspace and store.
        data: the data set as it was found.
        checkpoint: the trained weights likewise; None: the run trains the base.
        parent: the flow that started this one; None: nobody's.
    """

    flow: FlowId
    config: RunConfig
    site: Site
    data: LocatedData
    checkpoint: LocatedCheckpoint | None
    parent: FlowId | None = None


@dataclass(slots=True)
class Outcome:
    """What a run leaves behind even when it ends as failed; filled while it goes on.

    Attributes:
        data: the data set as it was fetched.
        summary: of the family; None until it is published.
    """

    data: DataRecord | None = None
    summary: RunSummary | None = None
