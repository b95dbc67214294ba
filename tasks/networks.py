"""Networks and data sets as the steps need them: opened from the store by their records."""

import torch
from safetensors import safe_open
from torch import Tensor, nn

from mixmatch.batch_norm import has_batch_norm, reestimate_batch_norm_
from mixmatch.checkpoints import load_state_, read_state
from mixmatch.evaluation import evaluate
from mixmatch.execution import autocast_of, fast_convolutions, uncompiled
from mixmatch.images import ImageSet, Preprocessing, ordered_batches
from mixmatch.models import build_model
from mixmatch.records import Accuracy, Artifact, Execution, ModelSpec
from mixmatch.signals import Signals
from tasks.factory import factory_of
from tasks.fetch import load_split
from tasks.store import Store

_EVALUATION_BATCH = 256
SIGNALS = ("abs_gradient", "gradient", "hessian_gradient")  # fields of Signals, as stored


def build_network(spec: ModelSpec, *, pretrained: bool = False) -> nn.Module:
    """Build the network of ``spec``, a user's own one by its factory; see ``build_model``.

    Raises:
        ConfigError: as ``build_model``, or the factory cannot be found.
        CheckpointError: as ``build_model``.
    """
    # A module may draw or seed when it is imported; the weights must not depend on who came first.
    with torch.random.fork_rng(devices=[]):
        factory = factory_of(spec)
    return build_model(spec, pretrained=pretrained, factory=factory)


def open_network(store: Store, weights: Artifact, spec: ModelSpec) -> nn.Module:
    """Build the network of ``spec`` with the stored ``weights``, in eval mode on the CPU."""
    model = build_network(spec)
    load_state_(model, read_state(store.path(weights)), allow_new_head=False, source="the store")
    model.to(memory_format=torch.channels_last)
    return model.eval()


def open_split(store: Store, data: Artifact, split: str, device: str) -> ImageSet:
    """Return one split of a stored data set as uint8 images on ``device``, or on their way there.

    One that is large stays in its file; its batches are read when they are asked for.
    """
    images = load_split(store.path(data), split)
    return ImageSet(images.images.to(device), images.labels.to(device))


def preprocessing_of(spec: ModelSpec) -> Preprocessing:
    """Return the preprocessing that ``spec`` was trained with."""
    return Preprocessing(spec.mean, spec.std)


def accuracy_of(
    model: nn.Module, images: ImageSet, spec: ModelSpec, execution: Execution
) -> Accuracy:
    """Evaluate ``model`` in the one precision and memory format that ``execution`` names.

    Args:
        model: on the device of ``images``, channels-last.
        images: unaugmented, in their order.
        spec: how the network is fed.
        execution: how arithmetic is done; the caller is inside ``computing``.
    """
    batches = ordered_batches(images, preprocessing_of(spec), _EVALUATION_BATCH)
    with fast_convolutions(model, execution), uncompiled(model):
        return evaluate(model, batches, autocast=autocast_of(execution))


def reestimated_(
    model: nn.Module, images: ImageSet, spec: ModelSpec, execution: Execution, num_images: int
) -> bool:
    """Re-estimate batch-norm statistics in place; say whether there were any to re-estimate.

    Args:
        model: on the device of ``images``.
        images: of training, unaugmented; the first ``num_images`` of them are read.
        spec: how the network is fed.
        execution: how arithmetic is done.
        num_images: 0 leaves the statistics as they are.
    """
    num_images = min(num_images, len(images))
    if not num_images or not has_batch_norm(model):
        return False
    batches = ordered_batches(images, preprocessing_of(spec), _EVALUATION_BATCH, num_images)
    with fast_convolutions(model, execution):
        reestimate_batch_norm_(model, batches, autocast=autocast_of(execution))
    return True


def open_signals(store: Store, *parts: Artifact | None) -> Signals:
    """Return the stored signals of a sensitivity pass; kinds in none of ``parts`` are empty."""
    kinds: dict[str, dict[str, Tensor]] = {name: {} for name in SIGNALS}
    for part in parts:
        if part is None:
            continue
        with safe_open(store.path(part), framework="pt") as file:
            for key in file.keys():  # noqa: SIM118  not a mapping
                kind, layer = key.split("/", 1)
                kinds[kind][layer] = file.get_tensor(key)
    return Signals(**kinds)
