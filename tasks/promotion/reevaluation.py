"""The winner once more: its own file from the registry, evaluated as it was when it was made."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from mixmatch.digests import json_digest
from mixmatch.errors import ArtifactError, ConfigError, PromotionError
from mixmatch.evaluation import evaluate
from mixmatch.execution import autocast_of, computing, network_versions
from mixmatch.factories import Factory
from mixmatch.images import ImageSet, ordered_batches
from mixmatch.layers import prunable_layers
from mixmatch.masks import count_nonzero
from mixmatch.packed import PackedHeader, load_packed, read_header
from mixmatch.records import Execution, ModelSpec, VersionFacts
from tasks.factory import factory_of, is_factory
from tasks.fetch import load_split
from tasks.jobs import MemberJob
from tasks.networks import EVALUATION_BATCH, preprocessing_of
from tasks.promotion.summary import Reevaluation
from tasks.site import Site
from tasks.store import FolderStore, Store
from tasks.tracking import RegisteredFile, download_packed, show_model

# What must come out again, to the last digit: a field of both records, and its name for people.
_FIGURES = {
    "bytes": "bytes",
    "sparsity": "sparsity",
    "validation_accuracy": "validation accuracy",
    "accuracy": "test accuracy",
}


@dataclass(frozen=True, slots=True)
class _Made:
    """How a version was made: arithmetic and images."""

    execution: Execution
    data: Path


def reevaluate(
    site: Site, name: str, facts: VersionFacts, *, factory: str | None = None
) -> Reevaluation:
    """Evaluate the registry's own file of a version, and compare with what is recorded of it.

    Args:
        site: where registry and store are.
        name: of the registered model.
        facts: what the version says of itself.
        factory: ``package.module:factory`` that builds a user's own network; None for a known one.

    Raises:
        PromotionError: a figure is not the recorded one.
        ArtifactError: the file is not the one that was registered, or the store no longer holds
            the record or the data set that it was made with.
        ConfigError: this machine cannot compute as it was computed, or ``factory`` is not its own.
    """
    started, store = time.monotonic(), site.open_store()
    made = _made(site, name, facts)
    with store.scratch() as folder:
        registered = download_packed(site, f"{name}/{facts.version}", folder)
        if registered.digest != facts.digest:
            raise ArtifactError(
                f"The file of {name}, version {facts.version}, must be {facts.digest}, found "
                f"{registered.digest}: the version changed meanwhile."
            )
        found = _measured(registered, made, factory, started)
    _compare(name, facts, found, made.execution)
    return found


def _measured(
    registered: RegisteredFile, made: _Made, factory: str | None, started: float
) -> Reevaluation:
    header = read_header(registered.path)
    model = load_packed(registered.path, factory=_factory(header, registered, factory))
    layers = prunable_layers(model)
    num_weights = sum(layer.num_weights for layer in layers)
    num_nonzero = sum(count_nonzero(model, layers).values())
    # The memory format in which members are evaluated.
    model = model.to(memory_format=torch.channels_last)
    with computing(made.execution) as device:
        model.to(device)
        accuracies = {
            split: _accuracy(model, header.spec, made, split) for split in ("validation", "test")
        }
    return Reevaluation(
        version=registered.version,
        bytes=registered.path.stat().st_size,
        sparsity=(num_weights - num_nonzero) / num_weights,
        validation_accuracy=accuracies["validation"],
        accuracy=accuracies["test"],
        device=made.execution.device,
        precision=made.execution.precision,
        seconds=time.monotonic() - started,
    )


def _accuracy(model: nn.Module, spec: ModelSpec, made: _Made, split: str) -> float:
    images, device = load_split(made.data, split), made.execution.device
    batches = ordered_batches(
        ImageSet(images.images.to(device), images.labels.to(device)),
        preprocessing_of(spec),
        EVALUATION_BATCH,
    )
    return evaluate(model, batches, autocast=autocast_of(made.execution)).value


def _compare(name: str, facts: VersionFacts, found: Reevaluation, made: Execution) -> None:
    """Refuse a version that is not what it says.

    Raises:
        PromotionError: a figure is another; the message names it, and both values.
    """
    here = network_versions()
    versions = "" if made.versions == here else f"; made with {made.versions}, here are {here}"
    for field, shown in _FIGURES.items():
        recorded, measured = getattr(facts, field), getattr(found, field)
        if recorded != measured:
            raise PromotionError(
                f"The {shown} of {name}, version {facts.version}, must be the recorded one, "
                f"{recorded}, but the registry's own file gives {measured} ({found.device}, "
                f"{found.precision}{versions}); the alias stays."
            )


def _factory(header: PackedHeader, registered: RegisteredFile, given: str | None) -> Factory | None:
    """Return what builds a user's own network; nothing is imported because a file says so."""
    needed = header.spec.architecture if is_factory(header.spec.architecture) else None
    if needed is None:
        return None
    if given != needed:
        raise ConfigError(
            f"--factory must be {needed}, the user's own network that {registered.name}, version "
            f"{registered.version}, is, to evaluate it again; got {given!r}."
        )
    return factory_of(header.spec)


def _made(site: Site, name: str, facts: VersionFacts) -> _Made:
    """Find how a version was made, in the store and in the one that its run file named."""
    which = f"{name}, version {facts.version},"
    stores = tuple(_stores(site, name, facts.version))
    inputs = next((x for store in stores if (x := _inputs(store, facts.key)) is not None), None)
    if inputs is None:
        raise ArtifactError(
            f"To evaluate {which} again, the store {stores[-1].address} must hold the record of "
            f"the job that made it, {facts.key}; run it again to compute it anew."
        )
    execution = Execution.model_validate(inputs["execution"])
    _check_here(which, execution)
    data = str(facts.data_digest)
    path = next((found for store in stores if (found := store.find_file(data))), None)
    if path is None:
        raise ArtifactError(
            f"To evaluate {which} again, the store {stores[-1].address} must hold its data set "
            f"{data}; `mixmatch fetch` with its run file brings that back."
        )
    return _Made(execution, path)


def _inputs(store: Store, key: str | None) -> dict[str, object] | None:
    """Return what a member was made from; inputs that are not those of its key do not count."""
    inputs = store.inputs(MemberJob.step, key) if key else None
    return inputs if inputs is not None and json_digest(inputs) == key else None


def _check_here(which: str, execution: Execution) -> None:
    if execution.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            f"To evaluate {which} again as it was, this machine must have CUDA; it has none."
        )


def _stores(site: Site, name: str, version: int) -> Iterator[Store]:
    """Yield the stores that may hold what a version was made from."""
    yield site.open_store()
    stated = show_model(site, f"{name}/{version}").settings.get("store", "null")
    if stated != "null":
        yield FolderStore(Path(stated).expanduser().absolute())
