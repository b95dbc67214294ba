"""The plan: observed ranges, constraints, and all strategies of a run."""

from collections.abc import Mapping

from mixmatch.layers import normalization_layers, prunable_layers, weights_of
from mixmatch.observation import observe, ranges_from
from mixmatch.ranges import SparsityRange, constrained_ranges
from mixmatch.records import LayerRecord, ObservationRecord, PlanRecord
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
    seen = observe(
        weights_of(model, layers),
        open_signals(store, job.scores),
        baselines=job.ranges.baselines,
        targets=job.ranges.targets,
        seed=job.seed,
    )
    observed = ranges_from(layers, seen)
    ranges = constrained_ranges(layers, observed, job.ranges)
    return PlanRecord(
        layers=tuple(_layer_record(layer, observed, ranges) for layer in layers),
        strategies=tuple(plan(name, layers, ranges) for name in job.strategies),
        normalization_layers=normalization_layers(model),
        observations=tuple(
            ObservationRecord(baseline=x.baseline, target=x.target, num_pruned=dict(x.num_pruned))
            for x in seen
        ),
    )


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
