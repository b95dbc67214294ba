"""What is to be pruned where."""

from mixmatch.records.record import Record


class LayerRecord(Record):
    """One prunable layer with its ranges; all sparsities are fractions.

    Attributes:
        name: dotted module path.
        role: a value of ``LayerRole``.
        num_weights: entries of its weight.
        observed: lowest and highest sparsity over the observed global rankings.
        range: the range after constraints and settings.
    """

    name: str
    role: str
    num_weights: int
    observed: tuple[float, float]
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
