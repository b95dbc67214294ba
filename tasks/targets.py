"""The search for global targets (``ranges.targets: auto``): untrained trials on validation."""

import copy
import time

import torch

from mixmatch.auto_targets import Trial, choose_targets
from mixmatch.criteria import score
from mixmatch.execution import computing
from mixmatch.layers import weights_of
from mixmatch.masks import apply_masks_, keep_masks
from mixmatch.observation import observe, ranges_from
from mixmatch.ranges import SparsityRange, constrained_ranges
from mixmatch.records import Accuracy, StrategyRecord, TargetsRecord
from mixmatch.strategies import plan
from tasks.jobs import TargetsJob
from tasks.networks import (
    accuracy_of,
    open_network,
    open_signals,
    open_split,
    reestimated_,
)
from tasks.plan import layers_of
from tasks.site import Site
from tasks.store import Store


def compute(job: TargetsJob, site: Site) -> TargetsRecord:
    """Choose the targets; reads the training and validation images, never the test images."""
    started = time.monotonic()
    with computing(job.execution) as device:
        trials = _Trials(job, site.open_store(), device)
        targets, probes = choose_targets(trials.try_out, job.ranges.largest_loss)
    return TargetsRecord(targets=targets, probes=probes, seconds=time.monotonic() - started)


class _Trials:
    """The base network, pruned in one way after the other."""

    def __init__(self, job: TargetsJob, store: Store, device: torch.device) -> None:
        self._job = job
        self._model = open_network(store, job.base, job.spec)
        self._layers = layers_of(self._model, job.roles)
        # Copies: the network's own weights are masked, and may move to another device.
        self._weights = {k: v.clone() for k, v in weights_of(self._model, self._layers).items()}
        self._signals = open_signals(store, job.scores, job.curvature)
        self._model.to(device)
        self._dense = copy.deepcopy(self._model.state_dict())
        self._train = open_split(store, job.data, "train", job.execution.device)
        self._validation = open_split(store, job.data, "validation", job.execution.device)
        self._base = self._evaluate()

    def try_out(self, target: float, strategy: str) -> Trial:
        """Measure one end of the family of ``target``; the criterion that loses least counts."""
        planned = plan(strategy, self._layers, self._ranges(target))
        losses = [self._lost(planned, criterion) for criterion in self._job.criteria]
        return min(losses, key=lambda trial: trial.loss)

    def _ranges(self, target: float) -> dict[str, SparsityRange]:
        settings = self._job.ranges
        seen = observe(
            self._weights,
            self._signals,
            baselines=settings.baselines,
            targets=(target,),
            seed=self._job.seed,
        )
        return constrained_ranges(self._layers, ranges_from(self._layers, seen), settings)

    def _lost(self, planned: StrategyRecord, criterion: str) -> Trial:
        self._model.load_state_dict(self._dense)
        scores = score(criterion, self._weights, self._signals)
        masks = keep_masks(scores, planned.num_pruned)
        apply_masks_(
            self._model, {k: mask.to(self._train.labels.device) for k, mask in masks.items()}
        )
        num_images = self._job.batch_norm_images
        reestimated_(self._model, self._train, self._job.spec, self._job.execution, num_images)
        return Trial.against(self._base, self._evaluate(), planned.sparsity)

    def _evaluate(self) -> Accuracy:
        return accuracy_of(self._model, self._validation, self._job.spec, self._job.execution)
