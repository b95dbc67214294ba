"""The first look at what a run file names, before anything is started: is it there, what is it?"""

from dataclasses import dataclass

from mixmatch.config import RunConfig
from tasks.checkpoint import LocatedCheckpoint, locate_checkpoint
from tasks.data import LocatedData, locate_data
from tasks.site import Site


@dataclass(frozen=True, slots=True)
class Inputs:
    """The sources of a run.

    Attributes:
        data: the data set's source, by the digest of its content.
        checkpoint: the trained weights, likewise; None: the run trains the base.
    """

    data: LocatedData
    checkpoint: LocatedCheckpoint | None


def locate_inputs(config: RunConfig, site: Site) -> Inputs:
    """Find data set and checkpoint; downloads a data set that the workspace does not hold yet.

    Raises:
        DataError: the data set is missing or is not what it should be.
        CheckpointError: the checkpoint is missing.
    """
    checkpoint = locate_checkpoint(config.model, site)
    return Inputs(locate_data(config.data, site.open_workspace()), checkpoint)
