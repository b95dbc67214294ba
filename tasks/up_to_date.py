"""Whether a run would find everything as it was: then there is nothing to do, and nothing is done.

A finished run leaves a record in the store, by the digest of all that it depended on.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar, cast

from mixmatch.config import RunConfig
from mixmatch.records import Execution, Record
from tasks.checkpoint import LocatedCheckpoint
from tasks.data import LocatedData
from tasks.jobs import Job
from tasks.site import Site
from tasks.tracking import is_finished

if TYPE_CHECKING:
    from pydantic.main import IncEx

# Where things lie, who computes and who is told changes nothing of what comes out.
_UNREAD: dict[str, set[str] | bool] = {
    "data": {"root", "validation_root"},
    "model": {"checkpoint"},
    "engine": {"kind", "workers", "address", "overlap"},
    "notify": True,
    "store": True,
}


class RunRecord(Record):
    """A run that has finished without a failure.

    Attributes:
        run_id: MLflow's id of the parent run.
    """

    run_id: str


class RunJob(Job):
    """A whole run, before anything of it is read.

    Attributes:
        settings: the run file without places.
        patterns: names of the free tables in their order, of which the first that matches wins.
        source_digest: of the data set.
        checkpoint_digest: of the trained weights; None: the run trains the base.
        code_digest: of a user's own network; None: a known architecture.
        executions: how the lone steps and the members compute.
        package_version: of mixmatch.
    """

    step: ClassVar[str] = "run"
    kind: ClassVar[type[Record]] = RunRecord

    settings: dict[str, object]
    patterns: tuple[tuple[str, ...], ...]
    source_digest: str
    checkpoint_digest: str | None
    code_digest: str | None
    executions: tuple[Execution, ...]
    package_version: str


def run_job(config: RunConfig, data: LocatedData, checkpoint: LocatedCheckpoint | None) -> RunJob:
    """Say what a run of ``config`` depends on, with its sources as they were just found.

    Raises:
        ConfigError: there is no such device or factory.
    """
    from tasks.factory import code_digest  # noqa: PLC0415  torch takes seconds to load
    from tasks.orders import lone_execution, member_execution  # noqa: PLC0415  likewise

    return RunJob(
        settings=config.model_dump(mode="json", by_alias=True, exclude=cast("IncEx", _UNREAD)),
        patterns=(tuple(config.ranges.layers), tuple(config.model.roles)),
        source_digest=data.source_digest,
        checkpoint_digest=checkpoint.digest if checkpoint else None,
        code_digest=code_digest(config.model.architecture),
        executions=(lone_execution(config.engine), member_execution(config.engine)),
        package_version=version("mixmatch"),
    )


def finished_run(job: RunJob, site: Site) -> str | None:
    """Return the id of the MLflow run that has done ``job``; None if there is none (any more)."""
    found = site.open_store().find(job.step, job.key, RunRecord)
    if found is None or not is_finished(site, found.run_id):
        return None
    return found.run_id


def note_finished(job: RunJob, run_id: str, site: Site) -> None:
    """Write down that a run has done ``job``."""
    site.open_store().commit(job.step, job.key, job.inputs, RunRecord(run_id=run_id))
