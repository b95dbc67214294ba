"""Mix-and-Match Pruning: from one trained vision network to a family of sparse ones.

Everything here is a pure function or a small record; none of it needs Prefect, MLflow or DVC.
Names are imported when they are first used, because torch takes a second.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mixmatch.baselines import BASELINES as BASELINES
    from mixmatch.baselines import baseline_scores as baseline_scores
    from mixmatch.batch_norm import reestimate_batch_norm_ as reestimate_batch_norm_
    from mixmatch.chains import predecessors as predecessors
    from mixmatch.criteria import CRITERIA as CRITERIA
    from mixmatch.criteria import score as score
    from mixmatch.distillation import Distillation as Distillation
    from mixmatch.distillation import distillation_loss as distillation_loss
    from mixmatch.evaluation import evaluate as evaluate
    from mixmatch.evaluation import wilson_interval as wilson_interval
    from mixmatch.finetune import fine_tune as fine_tune
    from mixmatch.front_area import hypervolume as hypervolume
    from mixmatch.halving import Rung as Rung
    from mixmatch.halving import rungs as rungs
    from mixmatch.halving import survivors as survivors
    from mixmatch.images import ImageSet as ImageSet
    from mixmatch.images import Preprocessing as Preprocessing
    from mixmatch.images import ordered_batches as ordered_batches
    from mixmatch.images import shuffled_batches as shuffled_batches
    from mixmatch.layers import normalization_layers as normalization_layers
    from mixmatch.layers import prunable_layers as prunable_layers
    from mixmatch.layers import weights_of as weights_of
    from mixmatch.layers import with_roles as with_roles
    from mixmatch.masks import apply_masks_ as apply_masks_
    from mixmatch.masks import count_nonzero as count_nonzero
    from mixmatch.masks import global_num_pruned as global_num_pruned
    from mixmatch.masks import keep_mask as keep_mask
    from mixmatch.masks import keep_masks as keep_masks
    from mixmatch.masks import keep_masks_of as keep_masks_of
    from mixmatch.models import build_model as build_model
    from mixmatch.observation import Observation as Observation
    from mixmatch.observation import observe as observe
    from mixmatch.observation import ranges_from as ranges_from
    from mixmatch.optimizers import make_optimizer as make_optimizer
    from mixmatch.packed import PackedFile as PackedFile
    from mixmatch.packed import PackedHeader as PackedHeader
    from mixmatch.packed import load_packed as load_packed
    from mixmatch.packed import read_header as read_header
    from mixmatch.packed import read_packed as read_packed
    from mixmatch.packed import save_packed as save_packed
    from mixmatch.packed import save_packed_state as save_packed_state
    from mixmatch.pareto import TradeOff as TradeOff
    from mixmatch.pareto import front_shares as front_shares
    from mixmatch.pareto import on_front as on_front
    from mixmatch.pareto import on_size_front as on_size_front
    from mixmatch.pareto import pareto_front as pareto_front
    from mixmatch.quantization import VALUE_KINDS as VALUE_KINDS
    from mixmatch.quantization import dequantize as dequantize
    from mixmatch.quantization import quantize as quantize
    from mixmatch.quantization import round_weights_ as round_weights_
    from mixmatch.ranges import SparsityRange as SparsityRange
    from mixmatch.ranges import constrained_ranges as constrained_ranges
    from mixmatch.ranges import observed_ranges as observed_ranges
    from mixmatch.rivals import RIVALS as RIVALS
    from mixmatch.rivals import rival_num_pruned as rival_num_pruned
    from mixmatch.rivals import rival_scores as rival_scores
    from mixmatch.signals import Signals as Signals
    from mixmatch.signals import measure_signals as measure_signals
    from mixmatch.sparse_linear import SparseLinear as SparseLinear
    from mixmatch.sparse_linear import sparsify_linears_ as sparsify_linears_
    from mixmatch.statistics import paired_bootstrap as paired_bootstrap
    from mixmatch.statistics import paired_loss as paired_loss
    from mixmatch.statistics import spread as spread
    from mixmatch.strategies import METHOD_TEN as METHOD_TEN
    from mixmatch.strategies import STRATEGIES as STRATEGIES
    from mixmatch.strategies import plan as plan
    from mixmatch.training import cross_entropy as cross_entropy

_HOME = {
    "BASELINES": "baselines",
    "CRITERIA": "criteria",
    "METHOD_TEN": "strategies",
    "Observation": "observation",
    "RIVALS": "rivals",
    "STRATEGIES": "strategies",
    "Distillation": "distillation",
    "ImageSet": "images",
    "PackedFile": "packed",
    "PackedHeader": "packed",
    "Preprocessing": "images",
    "Rung": "halving",
    "Signals": "signals",
    "SparseLinear": "sparse_linear",
    "SparsityRange": "ranges",
    "TradeOff": "pareto",
    "VALUE_KINDS": "quantization",
    "apply_masks_": "masks",
    "baseline_scores": "baselines",
    "build_model": "models",
    "constrained_ranges": "ranges",
    "count_nonzero": "masks",
    "cross_entropy": "training",
    "dequantize": "quantization",
    "distillation_loss": "distillation",
    "evaluate": "evaluation",
    "fine_tune": "finetune",
    "front_shares": "pareto",
    "global_num_pruned": "masks",
    "hypervolume": "front_area",
    "keep_mask": "masks",
    "keep_masks": "masks",
    "keep_masks_of": "masks",
    "load_packed": "packed",
    "make_optimizer": "optimizers",
    "measure_signals": "signals",
    "normalization_layers": "layers",
    "observe": "observation",
    "observed_ranges": "ranges",
    "on_front": "pareto",
    "on_size_front": "pareto",
    "ordered_batches": "images",
    "paired_bootstrap": "statistics",
    "paired_loss": "statistics",
    "pareto_front": "pareto",
    "plan": "strategies",
    "predecessors": "chains",
    "prunable_layers": "layers",
    "quantize": "quantization",
    "ranges_from": "observation",
    "read_header": "packed",
    "read_packed": "packed",
    "reestimate_batch_norm_": "batch_norm",
    "round_weights_": "quantization",
    "rungs": "halving",
    "rival_num_pruned": "rivals",
    "rival_scores": "rivals",
    "save_packed": "packed",
    "save_packed_state": "packed",
    "score": "criteria",
    "shuffled_batches": "images",
    "survivors": "halving",
    "sparsify_linears_": "sparse_linear",
    "spread": "statistics",
    "weights_of": "layers",
    "wilson_interval": "evaluation",
    "with_roles": "layers",
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
