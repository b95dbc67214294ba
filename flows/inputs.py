"""The first look at what a run file names, before anything is started: is it there, what is it?"""

from dataclasses import dataclass

from mixmatch.config import EngineSettings, RunConfig
from tasks.checkpoint import LocatedCheckpoint, locate_checkpoint
from tasks.data import LocatedData, locate_data
from tasks.pins import find_checkpoint, find_data, read_pins
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

    A workspace that was restored from a lineage needs no source of what its store holds.

    Raises:
        DataError: the data set is missing or is not what it should be.
        CheckpointError: the checkpoint is missing, likewise.
    """
    pins = read_pins(site)
    if pins is not None:
        data = find_data(pins, config, site)
        return Inputs(data, find_checkpoint(pins, config, data, site))
    checkpoint = locate_checkpoint(config.model, site)
    return Inputs(locate_data(config.data, site.open_workspace()), checkpoint)


def check_inputs(config: RunConfig, inputs: Inputs, site: Site) -> None:
    """Find out what is wrong with the network while nothing has been started for the run.

    Raises:
        ConfigError: the network cannot be built, or there is no such device.
        CheckpointError: the checkpoint does not fit it.
    """
    from tasks.preflight import check_network  # noqa: PLC0415  torch takes seconds to load

    check_network(config, inputs.data.source_digest, inputs.checkpoint, site)


def check_engine(engine: EngineSettings) -> None:
    """Find out whether the scheduler that the run file names answers, hours before it is needed.

    Raises:
        ServiceError: it does not.
    """
    if engine.address is not None:
        from flows.scheduler import check_scheduler  # noqa: PLC0415  Dask takes a second to load

        check_scheduler(engine.address)
