"""The work on one member's network: re-estimate, fine-tune, evaluate."""

from dataclasses import dataclass

import torch
from torch import nn

from mixmatch.digests import json_digest
from mixmatch.distillation import Distillation
from mixmatch.execution import autocast_of, training_context
from mixmatch.finetune import fine_tune
from mixmatch.images import ImageSet, shuffled_batches
from mixmatch.masks import Masks
from mixmatch.optimizers import make_optimizer
from mixmatch.records import Accuracy, EpochRecord
from mixmatch.snapshots import Snapshot
from mixmatch.training import BatchLoss, cross_entropy
from tasks.interruption import Interruption
from tasks.jobs import MemberJob
from tasks.networks import (
    accuracy_of,
    open_network,
    open_split,
    preprocessing_of,
    reestimated_,
)
from tasks.store import Store
from tasks.watched import WatchedTraining, num_batches


@dataclass(frozen=True, slots=True)
class Course:
    """What a member's network went through; accuracies at the three points, and on test.

    Attributes:
        after_mask: validation accuracy right after masking.
        after_batch_norm: after batch-norm re-estimation; the former where there is none.
        validation: of the finished network.
        test: of the finished network.
        epochs: of fine-tuning.
        best_epoch: index into ``epochs`` of the state that was kept; -1: the untrained one.
    """

    after_mask: Accuracy
    after_batch_norm: Accuracy
    validation: Accuracy
    test: Accuracy
    epochs: tuple[EpochRecord, ...]
    best_epoch: int


@dataclass(frozen=True, slots=True)
class Bench:
    """The data of one job on its device, what is minimized on it, and how to evaluate.

    Attributes:
        job: what is asked for.
        train: images that weights and batch-norm statistics come from.
        validation: images that early stopping reads.
        test: images that are read once.
        loss: what fine-tuning minimizes.
    """

    job: MemberJob
    train: ImageSet
    validation: ImageSet
    test: ImageSet
    loss: BatchLoss

    @classmethod
    def open(cls, job: MemberJob, store: Store) -> "Bench":
        """Read what ``job`` needs from the store."""
        train, validation, test = (
            open_split(store, job.data, split, job.execution.device)
            for split in ("train", "validation", "test")
        )
        return cls(job, train, validation, test, _loss_of(job, store))

    def watched(self, folder: str | None, label: str) -> WatchedTraining:
        """Return what follows the fine-tuning in its progress file."""
        settings = self.job.fine_tune
        steps = num_batches(len(self.train), settings.batch_size)
        return WatchedTraining(folder, label, max_epochs=settings.max_epochs, steps=steps)

    def run(
        self,
        model: nn.Module,
        masks: Masks,
        watched: WatchedTraining,
        interruption: Interruption,
    ) -> Course:
        """Re-estimate and fine-tune the masked ``model`` in place; measure before, between, after.

        Args:
            model: on the job's device.
            masks: on that device.
            watched: is told of every batch and epoch.
            interruption: of this job's training, perhaps an earlier one to go on from.
        """
        after_mask = self._evaluate(model, self.validation)
        after_batch_norm = after_mask
        job = self.job
        num_images = job.fine_tune.batch_norm_images
        if reestimated_(model, self.train, job.spec, job.execution, num_images):
            after_batch_norm = self._evaluate(model, self.validation)
        validation, epochs, best_epoch = after_batch_norm, tuple[EpochRecord, ...](), -1
        if self.job.fine_tune.max_epochs:
            validation, epochs, best_epoch = self._trained(model, masks, watched, interruption)
        test = self._evaluate(model, self.test)
        return Course(after_mask, after_batch_norm, validation, test, epochs, best_epoch)

    def _evaluate(self, model: nn.Module, images: ImageSet) -> Accuracy:
        """Return the accuracy of ``model`` in the job's one precision and memory format."""
        return accuracy_of(model, images, self.job.spec, self.job.execution)

    def _trained(
        self,
        model: nn.Module,
        masks: Masks,
        watched: WatchedTraining,
        interruption: Interruption,
    ) -> tuple[Accuracy, tuple[EpochRecord, ...], int]:
        """Fine-tune ``model`` in place; return its validation accuracy and the course."""
        settings = self.job.fine_tune
        seed = _seed_of(self.job)
        torch.manual_seed(seed)  # dropout and stochastic depth draw from the global generator
        generator = torch.Generator().manual_seed(seed)
        batches = shuffled_batches(
            self.train,
            preprocessing_of(self.job.spec),
            settings.batch_size,
            augmentation=self.job.augmentation,
            generator=generator,
        )
        measured: list[Accuracy] = []

        def validate(network: nn.Module) -> float:
            measured.append(self._evaluate(network, self.validation))
            return measured[-1].value

        def resume(found: Snapshot) -> None:
            measured.extend(Accuracy.model_validate(x) for x in found.facts["measured"])
            watched.resume(found.num_epochs)

        snapshots = interruption.snapshots(
            generator,
            facts=lambda: {"measured": [x.model_dump(mode="json") for x in measured]},
            on_resume=resume,
        )
        with training_context(model, self.job.execution):
            result = fine_tune(
                model,
                masks,
                watched.batches(batches),
                make_optimizer(model, settings),
                validate,
                max_epochs=settings.max_epochs,
                patience=settings.patience,
                loss=self.loss,
                on_epoch=watched.epoch_done,
                snapshots=snapshots,
            )
        return measured[result.best_epoch], result.epochs, result.best_epoch


def _loss_of(job: MemberJob, store: Store) -> BatchLoss:
    """Return plain cross-entropy, or with the base as the teacher; both in the job's precision."""
    autocast, distill = autocast_of(job.execution), job.fine_tune.distill
    if distill is None:
        return cross_entropy(autocast)
    teacher = open_network(store, job.base, job.spec).to(job.execution.device)
    return Distillation(
        teacher, weight=distill.weight, temperature=distill.temperature, autocast=autocast
    )


def _seed_of(job: MemberJob) -> int:
    """Return the seed of batch order and augmentation.

    A training that goes on from another member's would else meet that one's batches again.
    """
    if job.start is None:
        return job.seed
    return int(json_digest({"seed": job.seed, "start": job.start})[:15], 16)
