"""What is to be pruned where."""

from mixmatch.records.record import Record


class LayerRecord(Record):
    """One prunable layer with its ranges; all sparsities are fractions.

    Attributes:
        name: dotted module path.
        role: a value of ``LayerRole``.
        num_weights: entries of its weight.
        observed: lowest and highest sparsity over the observed global rankings; None where a
            preset replaces the observation.
        range: the range after constraints and settings.
    """

    name: str
    role: str
    num_weights: int
    observed: tuple[float, float] | None
    range: tuple[float, float]


class StrategyRecord(Record):
    """One strategy's plan.

    Attributes:
        name: key in STRATEGIES.
        digest: SHA-256 of the counts: plans that prune equally have equal digests.
        sparsity: exact fraction of all prunable weights that go.
        layers: planned sparsity by layer name, unrounded.
        num_pruned: weights that go, by layer name.
    """

    name: str
    digest: str
    sparsity: float
    layers: dict[str, float]
    num_pruned: dict[str, int]


class ObservationRecord(Record):
    """What one global ranking would prune at one global sparsity.

    Attributes:
        baseline: key in BASELINES.
        target: global sparsity, a fraction.
        num_pruned: weights that go, by layer name.
    """

    baseline: str
    target: float
    num_pruned: dict[str, int]


class PlanRecord(Record):
    """All strategies of a run; the same for every criterion.

    Attributes:
        layers: in registration order.
        strategies: in the order of the run file, or of the method.
        normalization_layers: paths that are never pruned, for the report.
        observations: the global rankings that the observed ranges come from.
    """

    layers: tuple[LayerRecord, ...]
    strategies: tuple[StrategyRecord, ...]
    normalization_layers: tuple[str, ...]
    observations: tuple[ObservationRecord, ...] = ()


class ProbeRecord(Record):
    """One trial of the search for global targets: a family's end, masked and re-estimated.

    Attributes:
        target: global sparsity at which the ranges were observed, a fraction.
        strategy: the end of the family: ``conservative`` or ``aggressive``.
        sparsity: exact fraction of all prunable weights that went.
        loss: the base's validation accuracy minus the trial's, a fraction.
    """

    target: float
    strategy: str
    sparsity: float
    loss: float


class TargetsRecord(Record):
    """The global targets that ``targets: auto`` chose.

    Attributes:
        targets: ascending, fractions.
        probes: every trial, in the order of the search.
        seconds: wall time.
    """

    targets: tuple[float, ...]
    probes: tuple[ProbeRecord, ...]
    seconds: float


class RivalPlan(Record):
    """What one rival prunes at one global sparsity.

    Attributes:
        rival: key in RIVALS.
        sparsity: asked for, a fraction; 0 for ``dense``.
        seed: of ``random``; None for the others, whose masks no seed changes.
        num_pruned: weights that go, by layer name; empty for ``dense``.
    """

    rival: str
    sparsity: float
    seed: int | None
    num_pruned: dict[str, int]


class RivalsRecord(Record):
    """What all rivals of a run prune.

    Attributes:
        plans: by rival, then sparsity, then seed.
    """

    plans: tuple[RivalPlan, ...]
