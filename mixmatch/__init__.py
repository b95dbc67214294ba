"""Mix-and-Match Pruning: from one trained vision network to a family of sparse ones.

Everything here is a pure function or a small record; none of it needs Prefect, MLflow or DVC.
Names are imported when they are first used, because torch takes a second.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mixmatch.baselines import BASELINES, baseline_scores
    from mixmatch.batch_norm import reestimate_batch_norm_
    from mixmatch.criteria import CRITERIA, score
    from mixmatch.evaluation import evaluate, wilson_interval
    from mixmatch.finetune import fine_tune
    from mixmatch.images import ImageSet, Preprocessing, ordered_batches, shuffled_batches
    from mixmatch.layers import normalization_layers, prunable_layers, weights_of
    from mixmatch.masks import (
        apply_masks_,
        count_nonzero,
        global_num_pruned,
        keep_mask,
        keep_masks,
    )
    from mixmatch.models import build_model
    from mixmatch.optimizers import make_optimizer
    from mixmatch.packed import load_packed, read_packed, save_packed
    from mixmatch.pareto import TradeOff, front_shares, on_front, pareto_front
    from mixmatch.ranges import SparsityRange, constrained_ranges, observed_ranges
    from mixmatch.signals import Signals, measure_signals
    from mixmatch.strategies import METHOD_TEN, STRATEGIES, plan

_HOME = {
    "BASELINES": "baselines",
    "CRITERIA": "criteria",
    "METHOD_TEN": "strategies",
    "STRATEGIES": "strategies",
    "ImageSet": "images",
    "Preprocessing": "images",
    "Signals": "signals",
    "SparsityRange": "ranges",
    "TradeOff": "pareto",
    "apply_masks_": "masks",
    "baseline_scores": "baselines",
    "build_model": "models",
    "constrained_ranges": "ranges",
    "count_nonzero": "masks",
    "evaluate": "evaluation",
    "fine_tune": "finetune",
    "front_shares": "pareto",
    "global_num_pruned": "masks",
    "keep_mask": "masks",
    "keep_masks": "masks",
    "load_packed": "packed",
    "make_optimizer": "optimizers",
    "measure_signals": "signals",
    "normalization_layers": "layers",
    "observed_ranges": "ranges",
    "on_front": "pareto",
    "ordered_batches": "images",
    "pareto_front": "pareto",
    "plan": "strategies",
    "prunable_layers": "layers",
    "read_packed": "packed",
    "reestimate_batch_norm_": "batch_norm",
    "save_packed": "packed",
    "score": "criteria",
    "shuffled_batches": "images",
    "weights_of": "layers",
    "wilson_interval": "evaluation",
}

__version__ = version("mixmatch")
__all__ = ["__version__", *_HOME]  # noqa: PLE0604  the names of a literal table


def __getattr__(name: str) -> object:
    """Import a public name from its module."""
    if name not in _HOME:
        raise AttributeError(f"module 'mixmatch' has no attribute {name!r}")
    return getattr(import_module(f"mixmatch.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
