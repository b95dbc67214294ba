"""One member of the family: prune, re-estimate, fine-tune, evaluate, pack."""

import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mixmatch.baselines import BASELINES, baseline_scores
from mixmatch.batch_norm import has_batch_norm, reestimate_batch_norm_
from mixmatch.criteria import score
from mixmatch.evaluation import evaluate
from mixmatch.execution import autocast_of, computing, fast_training
from mixmatch.finetune import fine_tune
from mixmatch.images import ImageSet, ordered_batches, shuffled_batches
from mixmatch.layers import prunable_layers, weights_of
from mixmatch.masks import Masks, apply_masks_, count_nonzero, keep_masks, mask_digest
from mixmatch.models import count_parameters
from mixmatch.optimizers import make_optimizer
from mixmatch.packed import save_packed
from mixmatch.records import Accuracy, EpochRecord, MemberRecord
from mixmatch.signals import Signals
from tasks.jobs import MemberJob
from tasks.networks import (
    EVALUATION_BATCH,
    open_network,
    open_signals,
    open_split,
    preprocessing_of,
)
from tasks.site import Site
from tasks.store import Store
from tasks.watched import WatchedTraining, num_batches


def compute(job: MemberJob, site: Site, label: str) -> MemberRecord:
    """Run the whole job; its progress goes to the site's folder under ``label``."""
    store = site.open_store()
    started = time.monotonic()
    with computing(job.execution) as device:
        bench = _Bench.open(job, store)
        model, masks = _pruned_network(job, store)
        model.to(device)
        masks = {name: mask.to(device) for name, mask in masks.items()}
        watched = bench.watched(site.progress, label)
        course = _fine_tune(job, bench, model, masks, watched)
    watched.finish()
    return _record(job, store, model, masks, course, started=started)


@dataclass(frozen=True, slots=True)
class _Bench:
    """The data of one job, and how to evaluate on it."""

    job: MemberJob
    train: ImageSet
    validation: ImageSet
    test: ImageSet

    @classmethod
    def open(cls, job: MemberJob, store: Store) -> "_Bench":

        device = job.execution.device
        splits = ("train", "validation", "test")
        return cls(job, *(open_split(store, job.data, split, device) for split in splits))

    def evaluate(self, model: nn.Module, images: ImageSet) -> Accuracy:
        """Return the accuracy of ``model`` in the job's one precision and memory format."""
        batches = ordered_batches(images, preprocessing_of(self.job.spec), EVALUATION_BATCH)
        return evaluate(model, batches, autocast=autocast_of(self.job.execution))

    def watched(self, folder: str | None, label: str) -> WatchedTraining:
        """Return what follows the fine-tuning in its progress file."""
        settings = self.job.fine_tune
        steps = num_batches(len(self.train), settings.batch_size)
        return WatchedTraining(folder, label, max_epochs=settings.max_epochs, steps=steps)


@dataclass(frozen=True, slots=True)
class _Course:
    """What fine-tuning went through; accuracies at the three points, and on test."""

    after_mask: Accuracy
    after_batch_norm: Accuracy
    validation: Accuracy
    test: Accuracy
    epochs: tuple[EpochRecord, ...]
    best_epoch: int


def _pruned_network(job: MemberJob, store: Store) -> tuple[nn.Module, dict[str, Tensor]]:

    model = open_network(store, job.base, job.spec)
    signals = open_signals(store, job.scores) if job.scores else None
    masks = keep_masks(_scores(job, model, signals), job.num_pruned)
    apply_masks_(model, masks)
    return model, masks


def _scores(job: MemberJob, model: nn.Module, signals: Signals | None) -> dict[str, Tensor]:
    """Score by a criterion; or by a global baseline, whose mask is the lowest of each layer too."""
    weights = weights_of(model, prunable_layers(model))
    if job.criterion in BASELINES:
        return baseline_scores(job.criterion, weights, signals, seed=job.seed)
    return score(job.criterion, weights, signals)


def _fine_tune(
    job: MemberJob, bench: _Bench, model: nn.Module, masks: Masks, watched: WatchedTraining
) -> _Course:
    """Re-estimate batch norm and fine-tune ``model`` in place; measure before, between, after."""
    after_mask = bench.evaluate(model, bench.validation)
    after_batch_norm = after_mask
    if _reestimated(job, bench, model):
        after_batch_norm = bench.evaluate(model, bench.validation)
    validation, epochs, best_epoch = after_batch_norm, tuple[EpochRecord, ...](), -1
    if job.fine_tune.max_epochs:
        validation, epochs, best_epoch = _train(job, bench, model, masks, watched)
    test = bench.evaluate(model, bench.test)
    return _Course(after_mask, after_batch_norm, validation, test, epochs, best_epoch)


def _reestimated(job: MemberJob, bench: _Bench, model: nn.Module) -> bool:
    """Re-estimate batch-norm statistics; say whether there were any to re-estimate."""
    num_images = min(job.fine_tune.batch_norm_images, len(bench.train))
    if not num_images or not has_batch_norm(model):
        return False
    images = ImageSet(bench.train.images[:num_images], bench.train.labels[:num_images])
    prepare = preprocessing_of(job.spec)
    reestimate_batch_norm_(model, ordered_batches(images, prepare, EVALUATION_BATCH))
    return True


def _train(
    job: MemberJob, bench: _Bench, model: nn.Module, masks: Masks, watched: WatchedTraining
) -> tuple[Accuracy, tuple[EpochRecord, ...], int]:
    """Fine-tune ``model`` in place; return the kept state's validation accuracy and the course."""
    settings = job.fine_tune
    torch.manual_seed(job.seed)  # dropout and stochastic depth draw from the global generator
    batches = shuffled_batches(
        bench.train,
        preprocessing_of(job.spec),
        settings.batch_size,
        augmentation=job.augmentation,
        generator=torch.Generator().manual_seed(job.seed),
    )
    measured: list[Accuracy] = []

    def validate(network: nn.Module) -> float:
        measured.append(bench.evaluate(network, bench.validation))
        return measured[-1].value

    with fast_training(model, job.execution):
        result = fine_tune(
            model,
            masks,
            watched.batches(batches),
            make_optimizer(model, settings),
            validate,
            max_epochs=settings.max_epochs,
            patience=settings.patience,
            autocast=autocast_of(job.execution),
            on_epoch=watched.epoch_done,
        )
    return measured[result.best_epoch], result.epochs, result.best_epoch


def _record(
    job: MemberJob,
    store: Store,
    model: nn.Module,
    masks: Masks,
    course: _Course,
    *,
    started: float,
) -> MemberRecord:

    model.cpu()
    layers = prunable_layers(model)
    nonzero = count_nonzero(model, layers)
    num_weights = sum(layer.num_weights for layer in layers)
    num_zeros = num_weights - sum(nonzero.values())
    with store.scratch() as folder:
        save_packed(folder / "member.safetensors", model, job.spec)
        artifact = store.put(folder / "member.safetensors")
    return MemberRecord(
        artifact=artifact,
        mask_digest=mask_digest(masks),
        num_weights=num_weights,
        num_nonzero=num_weights - num_zeros,
        num_parameters=count_parameters(model),
        sparsity=num_zeros / num_weights,
        sparsity_of_all=num_zeros / count_parameters(model),
        layer_sparsity={x.name: 1 - nonzero[x.name] / x.num_weights for x in layers},
        validation_after_mask=course.after_mask,
        validation_after_batch_norm=course.after_batch_norm,
        validation=course.validation,
        test=course.test,
        epochs=course.epochs,
        best_epoch=course.best_epoch,
        seconds=time.monotonic() - started,
    )
