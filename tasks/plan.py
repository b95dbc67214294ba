"""The plan: observed or preset ranges, constraints, and all strategies of a run."""

from collections.abc import Mapping, Sequence

from torch import nn

from mixmatch.config import RangeSettings
from mixmatch.errors import ConfigError
from mixmatch.layers import normalization_layers, prunable_layers, weights_of, with_roles
from mixmatch.observation import Observation, observe, ranges_from
from mixmatch.presets import preset_ranges
from mixmatch.ranges import SparsityRange, constrained_ranges, stated_ranges
from mixmatch.records import LayerRecord, ObservationRecord, PlanRecord, StrategyRecord
from mixmatch.roles import LayerRole, PrunableLayer
from mixmatch.strategies import plan
from mixmatch.target_sparsity import plan_for
from tasks.jobs import PlanJob
from tasks.networks import open_network, open_signals
from tasks.site import Site
from tasks.store import Store


def compute(job: PlanJob, site: Site) -> PlanRecord:
    """Find ranges and strategies."""
    store = site.open_store()
    return make_plan(job, store, open_network(store, job.base, job.spec))


def make_plan(job: PlanJob, store: Store, model: nn.Module) -> PlanRecord:
    """Find ranges and strategies for ``model``, the base of ``job``; reads the scores."""
    layers = layers_of(model, job.roles)
    seen = _observations(job, store, model, layers)
    observed = ranges_from(layers, seen) if seen else {}
    ranges = _ranges(job.ranges, layers, observed)
    return PlanRecord(
        layers=tuple(_layer_record(x, observed.get(x.name), ranges[x.name]) for x in layers),
        strategies=strategies_of(job, layers, ranges),
        normalization_layers=normalization_layers(model),
        observations=tuple(
            ObservationRecord(baseline=x.baseline, target=x.target, num_pruned=dict(x.num_pruned))
            for x in seen
        ),
    )


def strategies_of(
    job: PlanJob, layers: Sequence[PrunableLayer], ranges: Mapping[str, SparsityRange]
) -> tuple[StrategyRecord, ...]:
    """Plan every strategy that ``job`` asks for, in its order, inside these ranges."""
    planned = [plan(name, layers, ranges) for name in job.strategies]
    planned += [plan_for(target, layers, ranges) for target in job.target_sparsity or ()]
    return tuple(planned)


def layers_of(model: nn.Module, roles: Mapping[str, str] | None) -> Sequence[PrunableLayer]:
    """Return the prunable layers, with the roles of the run file where it states them.

    Args:
        model: the network.
        roles: role by path pattern; None: none.

    Raises:
        LayerError: the network has no prunable layer.
        ConfigError: a pattern matches no layer.
    """
    layers = prunable_layers(model)
    if not roles:
        return layers
    return with_roles(layers, {pattern: LayerRole(role) for pattern, role in roles.items()})


def _observations(
    job: PlanJob, store: Store, model: nn.Module, layers: Sequence[PrunableLayer]
) -> tuple[Observation, ...]:
    """Rank globally; a preset stands in for that, and nothing is read."""
    if job.ranges.preset is not None:
        return ()
    targets = job.ranges.targets
    if isinstance(targets, str):
        raise ConfigError(
            f"ranges.targets must be numbers when strategies are planned, got {targets}; the "
            "targets step turns it into numbers."
        )
    return observe(
        weights_of(model, layers),
        open_signals(store, job.scores, job.curvature),
        baselines=job.ranges.baselines,
        targets=targets,
        seed=job.seed,
    )


def _ranges(
    settings: RangeSettings,
    layers: Sequence[PrunableLayer],
    observed: Mapping[str, SparsityRange],
) -> dict[str, SparsityRange]:
    if settings.preset is None:
        return constrained_ranges(layers, observed, settings)
    return preset_ranges(settings.preset, layers, stated_ranges(layers, settings))


def _layer_record(
    layer: PrunableLayer, observed: SparsityRange | None, allowed: SparsityRange
) -> LayerRecord:
    return LayerRecord(
        name=layer.name,
        role=layer.role.value,
        num_weights=layer.num_weights,
        observed=(observed.low, observed.high) if observed else None,
        range=(allowed.low, allowed.high),
    )
