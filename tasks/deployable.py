"""A run file as another process may read it, started elsewhere and later: places made absolute."""

from pathlib import Path

from mixmatch.config import RunConfig
from tasks.checkpoint import PRETRAINED


def with_absolute_places(config: RunConfig) -> RunConfig:
    """Return the same run with every relative path taken from the current folder."""
    data = {name: _absolute(getattr(config.data, name)) for name in ("root", "validation_root")}
    checkpoint = config.model.checkpoint
    if checkpoint != PRETRAINED:
        checkpoint = _absolute(checkpoint)
    return config.model_copy(
        update={
            "data": config.data.model_copy(update=data),
            "model": config.model.model_copy(update={"checkpoint": checkpoint}),
            "store": _absolute(config.store),
        }
    )


def _absolute(place: str | None) -> str | None:
    """Return the absolute path; addresses such as ``models:/NAME@alias`` are so already."""
    if place is None or ":/" in place:
        return place
    return str(Path(place).expanduser().resolve())
