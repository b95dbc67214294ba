"""The settings that decide a study's results, and in what two studies differ."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mixmatch.config import RunConfig
from mixmatch.digests import json_digest
from tasks.checkpoint import PRETRAINED

# Names and places change no result; neither does what is made of a finished family, which a study
# leaves out. Of the engine the device, the precision, the threads and compile do: they follow from
# the machine as well, so ``continuing`` compares what they come to.
_NO_RESULT = {"name", "engine", "store", "register_", "quantize", "latency"}
_REGISTERED = ("models:/", "runs:/")  # how a model.checkpoint begins that names no local file
_ORDERED = ("ranges.layers", "model.roles")  # of these patterns the first that matches wins


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting with two values.

    Attributes:
        setting: its name, for example ``fine_tune.max_epochs``.
        first: value on one side, as JSON.
        second: value on the other side, as JSON.
    """

    setting: str
    first: str
    second: str


def result_settings(config: RunConfig) -> dict[str, object]:
    """Return every setting that decides results, defaults too, as plain JSON.

    Of places only the last name is kept, because the same files lie elsewhere on another machine;
    a known data set's place is left out altogether. So equal settings do not mean equal data:
    ``continuing.check_same_data`` compares the content, once the data set was read.
    """
    settings = config.model_dump(mode="json", by_alias=True, exclude=_NO_RESULT)
    data, model = settings["data"], settings["model"]
    data["root"] = _last_name(data["root"]) if config.data.name == "image_folder" else None
    data["validation_root"] = _last_name(data["validation_root"])
    if _is_file(model["checkpoint"]):
        model["checkpoint"] = _last_name(model["checkpoint"])
    return settings


def result_digest(settings: Mapping[str, object]) -> str:
    """Return the SHA-256 of such settings, with the order of their patterns."""
    orders = {name: list(_at(settings, name)) for name in _ORDERED}
    return json_digest({**settings, "orders": orders})


def first_difference(
    first: Mapping[str, object], second: Mapping[str, object], prefix: str = ""
) -> Difference | None:
    """Return the first setting in which two studies differ, in the order of the run file."""
    for name in {**first, **second}:
        setting, one, other = f"{prefix}{name}", first.get(name), second.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            if inner := first_difference(one, other, f"{setting}."):
                return inner
            if setting in _ORDERED and list(one) != list(other):
                return Difference(setting, json.dumps(list(one)), json.dumps(list(other)))
        elif one != other:
            return Difference(setting, json.dumps(one), json.dumps(other))
    return None


def _is_file(checkpoint: str | None) -> bool:
    if checkpoint is None or checkpoint == PRETRAINED:
        return False
    return not checkpoint.startswith(_REGISTERED)


def _last_name(place: str | None) -> str | None:
    return place and Path(os.path.abspath(place)).name  # ".", ".." and a last "/" name nothing


def _at(settings: Mapping[str, object], name: str) -> Mapping[str, object]:
    found: object = settings
    for part in name.split("."):
        found = found[part] if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}
