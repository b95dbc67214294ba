"""The plan: observed ranges, constraints, and all strategies of a run."""

from collections.abc import Iterable, Mapping

from torch import nn

from mixmatch.baselines import baseline_scores
from mixmatch.layers import normalization_layers, prunable_layers, weights_of
from mixmatch.masks import global_num_pruned
from mixmatch.ranges import SparsityRange, constrained_ranges, observed_ranges
from mixmatch.records import LayerRecord, PlanRecord
from mixmatch.roles import PrunableLayer
from mixmatch.strategies import plan
from tasks.jobs import PlanJob
from tasks.networks import open_network, open_signals
from tasks.site import Site


def compute(job: PlanJob, site: Site) -> PlanRecord:
    """Find ranges and strategies."""
    store = site.open_store()
    model = open_network(store, job.base, job.spec)
    layers = prunable_layers(model)
    observed = observed_ranges(layers, _observations(job, site, model, layers))
    ranges = constrained_ranges(layers, observed, job.ranges)
    return PlanRecord(
        layers=tuple(_layer_record(layer, observed, ranges) for layer in layers),
        strategies=tuple(plan(name, layers, ranges) for name in job.strategies),
        normalization_layers=normalization_layers(model),
    )


def _observations(
    job: PlanJob, site: Site, model: nn.Module, layers: Iterable[PrunableLayer]
) -> Iterable[dict[str, float]]:
    """Yield each layer's sparsity for every baseline and global target."""
    weights = weights_of(model, layers)
    signals = open_signals(site.open_store(), job.scores)
    sizes = {layer.name: layer.num_weights for layer in layers}
    for baseline in job.ranges.baselines:
        scores = baseline_scores(baseline, weights, signals, seed=job.seed)
        for counts in global_num_pruned(scores, job.ranges.targets).values():
            yield {name: count / sizes[name] for name, count in counts.items()}


def _layer_record(
    layer: PrunableLayer,
    observed: Mapping[str, SparsityRange],
    ranges: Mapping[str, SparsityRange],
) -> LayerRecord:
    seen, allowed = observed[layer.name], ranges[layer.name]
    return LayerRecord(
        name=layer.name,
        role=layer.role.value,
        num_weights=layer.num_weights,
        observed=(seen.low, seen.high),
        range=(allowed.low, allowed.high),
    )
