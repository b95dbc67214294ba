"""The base network: loaded from a checkpoint, or trained; then evaluated and stored."""

import logging
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from mixmatch.checkpoints import head_tensors, load_state_, read_state
from mixmatch.errors import CheckpointError
from mixmatch.execution import autocast_of, computing, training_context
from mixmatch.images import shuffled_batches
from mixmatch.layers import prunable_layers
from mixmatch.models import count_parameters, pretrained_num_classes
from mixmatch.records import Accuracy, BaseRecord
from mixmatch.snapshots import separate
from mixmatch.training import train
from tasks.checkpoint import LocatedCheckpoint
from tasks.interruption import Clock, Interruption
from tasks.jobs import BaseJob
from tasks.networks import accuracy_of, build_network, open_split, preprocessing_of
from tasks.site import Site
from tasks.watched import WatchedTraining, num_batches

_log = logging.getLogger(__name__)

# Cohen's kappa against guessing below which a trained network is most likely fed wrongly.
_NEAR_CHANCE = 0.1


def compute(job: BaseJob, checkpoint: LocatedCheckpoint | None, site: Site) -> BaseRecord:
    """Load or train the network, evaluate it, put its weights into the store."""
    store, clock = site.open_store(), Clock.start()
    interruption = Interruption.of(site, job, clock)
    with computing(job.execution) as device:
        model = _trained_network(job, checkpoint, site, device, interruption)
        accuracies = {split: _accuracy(job, model, site, split) for split in ("validation", "test")}
    with store.scratch() as folder:
        save_file(separate(model.state_dict()), folder / "base.safetensors")
        artifact = store.put(folder / "base.safetensors")
    return BaseRecord(
        spec=job.spec,
        source=checkpoint.label if checkpoint else "trained",
        artifact=artifact,
        num_parameters=count_parameters(model),
        num_weights=sum(layer.num_weights for layer in prunable_layers(model)),
        warnings=_warnings(accuracies["validation"], job.spec.num_classes),
        seconds=clock.effort().seconds,
        **accuracies,
    )


def _trained_network(
    job: BaseJob,
    checkpoint: LocatedCheckpoint | None,
    site: Site,
    device: torch.device,
    interruption: Interruption,
) -> nn.Module:
    torch.manual_seed(job.seed)
    from_timm = checkpoint is not None and checkpoint.path is None
    if from_timm and not _keeps_head(job) and not job.settings.allow_new_head:
        raise CheckpointError(
            "model.checkpoint timm must tell as many classes apart as the data set has "
            f"({job.spec.num_classes}), got {pretrained_num_classes(job.spec.architecture)}; "
            "set model.allow_new_head to train a new head."
        )
    model = build_network(job.spec, pretrained=from_timm)
    replaced = _replaced_head(job, checkpoint, model) if checkpoint else ()
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # stub
    if checkpoint is None:
        _train(job, model, site, interruption, parameters=None)
    elif replaced:
        _log.info("training a new head: %s", ", ".join(replaced))
        _train(job, model, site, interruption, parameters=replaced)
    return model.eval()


def _replaced_head(
    job: BaseJob, checkpoint: LocatedCheckpoint, model: nn.Module
) -> tuple[str, ...]:
    """Load a checkpoint file into ``model``; name the head's tensors if they have to be trained."""
    if checkpoint.path is not None:
        return load_state_(
            model,
            read_state(Path(checkpoint.path)),
            allow_new_head=job.settings.allow_new_head,
            source=checkpoint.label,
        )
    return () if _keeps_head(job) else head_tensors(model)


def _keeps_head(job: BaseJob) -> bool:
    """Say whether timm's pretrained classifier fits; else timm puts a random one in its place."""
    return pretrained_num_classes(job.spec.architecture) == job.spec.num_classes


def _train(
    job: BaseJob,
    model: nn.Module,
    site: Site,
    interruption: Interruption,
    *,
    parameters: tuple[str, ...] | None,
) -> None:
    """Train ``model`` in place: all of it, or only the named ``parameters``.

    Batch-norm statistics follow the new data either way.
    """
    settings = job.settings.train
    images = open_split(site.open_store(), job.data, "train", job.execution.device)
    generator = torch.Generator().manual_seed(job.seed)
    batches = shuffled_batches(
        images,
        preprocessing_of(job.spec),
        settings.batch_size,
        augmentation=job.augmentation,
        generator=generator,
    )
    if parameters is not None:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in parameters)
    steps = num_batches(len(images), settings.batch_size)
    watched = WatchedTraining(site.progress, "base", max_epochs=settings.epochs, steps=steps)
    snapshots = interruption.snapshots(
        generator, facts=dict, on_resume=lambda found: watched.resume(found.num_epochs)
    )
    with training_context(model, job.execution):
        train(
            model,
            watched.batches(batches),
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            schedule=settings.schedule,
            snapshots=snapshots,
            steps_per_epoch=steps,
            autocast=autocast_of(job.execution),
        )
    watched.finish()
    model.requires_grad_(requires_grad=True)


def _accuracy(job: BaseJob, model: nn.Module, site: Site, split: str) -> Accuracy:

    images = open_split(site.open_store(), job.data, split, job.execution.device)
    return accuracy_of(model, images, job.spec, job.execution)


def _warnings(validation: Accuracy, num_classes: int) -> tuple[str, ...]:
    chance = 1 / num_classes
    if (validation.value - chance) / (1 - chance) >= _NEAR_CHANCE:
        return ()
    return (
        f"The base network's validation accuracy is {validation.value:.1%}, near chance "
        f"({chance:.1%} for {num_classes} classes): wrong normalization, class order or checkpoint "
        "are the usual causes.",
    )
