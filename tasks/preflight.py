"""A look at a run's network before anything is started: can it be built, do its weights fit?"""

from importlib.metadata import version
from pathlib import Path

from mixmatch.config import RunConfig
from mixmatch.digests import json_digest
from mixmatch.records import BaseRecord, DataRecord, ModelSpec
from tasks.checkpoint import LocatedCheckpoint
from tasks.factory import find_factory, is_factory
from tasks.jobs import data_job
from tasks.site import Site

# Stands for the classes of a data set that was not read yet; the head is not compared then.
_SOME_CLASSES = 10


def check_network(
    config: RunConfig, source_digest: str, checkpoint: LocatedCheckpoint | None, site: Site
) -> None:
    """Build the network and compare the checkpoint with it, once for equal settings.

    What was found sound is noted in the workspace, so that a repeated run need not load torch for
    it. A user's own code may have changed and is always looked at.

    Args:
        config: the run file.
        source_digest: of the data set that was found.
        checkpoint: the trained weights; None: the run trains the base.
        site: workspace and store.

    Raises:
        ConfigError: the architecture is unknown or refuses its arguments or the image size, its
            factory cannot be found, or there is no such device.
        CheckpointError: the checkpoint is damaged or of another architecture.
    """
    note = site.open_workspace().root / "checked" / _question(config, source_digest, checkpoint)
    if note.exists() and not is_factory(config.model.architecture):
        return
    _check(config, source_digest, checkpoint, site)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.touch()


def _question(config: RunConfig, source_digest: str, checkpoint: LocatedCheckpoint | None) -> str:
    """Return the digest of all that the answer depends on."""
    return json_digest(
        {
            "data": config.data.model_dump(mode="json"),
            "source": source_digest,
            "model": config.model.model_dump(mode="json"),
            "checkpoint": checkpoint.digest if checkpoint else None,
            "device": config.engine.device,
            "versions": {name: version(name) for name in ("torch", "timm", "mixmatch")},
        }
    )


def _check(
    config: RunConfig, source_digest: str, checkpoint: LocatedCheckpoint | None, site: Site
) -> None:
    import torch  # noqa: PLC0415  with timm behind it: a repeated run loads neither for this

    from mixmatch.checkpoints import load_state_, read_state  # noqa: PLC0415  likewise
    from tasks.networks import build_network  # noqa: PLC0415  likewise
    from tasks.orders import base_job, member_execution  # noqa: PLC0415  likewise

    member_execution(config.engine)
    fetch = data_job(config.data, source_digest, config.calibration_fraction, config.seed)
    data = site.open_store().find(fetch.step, fetch.key, DataRecord)
    if data is None and is_factory(config.model.architecture):
        find_factory(config.model.architecture)  # how many classes it tells apart is its own affair
        return
    job = base_job(config, data, checkpoint) if data is not None else None
    with torch.random.fork_rng(devices=[]):
        model = build_network(job.spec if job else _likely_spec(config))
    # Weights that were loaded once need not be where they were: a restored store brings them.
    is_made = job is not None and site.open_store().find(job.step, job.key, BaseRecord) is not None
    if checkpoint is not None and checkpoint.path is not None and not is_made:
        load_state_(
            model,
            read_state(Path(checkpoint.path)),
            allow_new_head=config.model.allow_new_head or data is None,
            source=checkpoint.label,
        )


def _likely_spec(config: RunConfig) -> ModelSpec:
    size, channels = config.data.image_size, config.data.channels
    num_classes = len(config.data.classes) if config.data.classes else _SOME_CLASSES
    return ModelSpec(
        architecture=config.model.architecture,
        arguments=config.model.arguments,
        num_classes=num_classes,
        image_shape=(size, size, channels),
        mean=(0.5,) * channels,
        std=(0.5,) * channels,
        classes=(),
    )
