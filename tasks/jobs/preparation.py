"""Jobs that come once before all members: base, sensitivity, targets, plan, rivals."""

from typing import ClassVar

from mixmatch.config import ModelSettings, RangeSettings
from mixmatch.records import (
    Artifact,
    BaseRecord,
    Execution,
    ModelSpec,
    PlanRecord,
    Record,
    RivalsRecord,
    SensitivityRecord,
    TargetsRecord,
)
from tasks.jobs.job import Job


class BaseJob(Job):
    """Load or train the base network, and evaluate it.

    Attributes:
        data: digest and facts of the data set.
        spec: how to build it and feed it.
        checkpoint_digest: SHA-256 of the checkpoint file; None: train.
        settings: the model section without what the base does not depend on: a file's name, and the
            roles of its layers.
        augmentation: of training.
        seed: of initialization and batch order.
        execution: how arithmetic is done.
    """

    step: ClassVar[str] = "base"
    kind: ClassVar[type[Record]] = BaseRecord

    data: Artifact
    spec: ModelSpec
    checkpoint_digest: str | None
    settings: ModelSettings
    augmentation: str
    seed: int
    execution: Execution


class SensitivityJob(Job):
    """Measure gradients (and GraSP's Hessian-gradient product) on the calibration images.

    Attributes:
        base: weights of the base network.
        data: the data set.
        spec: how to build the network and feed it.
        hessian: whether GraSP is among the baselines.
        batch: images per batch.
        execution: how arithmetic is done; scores are always float32.
    """

    step: ClassVar[str] = "sensitivity"
    kind: ClassVar[type[Record]] = SensitivityRecord

    base: Artifact
    data: Artifact
    spec: ModelSpec
    hessian: bool
    batch: int
    execution: Execution


class TargetsJob(Job):
    """Choose the global targets of ``targets: auto`` by untrained validation accuracy.

    Attributes:
        base: weights of the base network.
        data: the data set.
        spec: how to build the network and feed it.
        scores: gradients of the sensitivity pass.
        curvature: its Hessian-gradient products; None where no baseline reads them.
        ranges: the ranges section.
        roles: the model section's roles, by path pattern; None: none.
        criteria: whose masks are tried; the best of them counts.
        batch_norm_images: to re-estimate statistics with.
        seed: of the random baseline; 0 where it is not used.
        execution: how arithmetic is done.
    """

    step: ClassVar[str] = "targets"
    kind: ClassVar[type[Record]] = TargetsRecord

    base: Artifact
    data: Artifact
    spec: ModelSpec
    scores: Artifact
    curvature: Artifact | None = None
    ranges: RangeSettings
    roles: dict[str, str] | None = None
    criteria: tuple[str, ...]
    batch_norm_images: int
    seed: int
    execution: Execution

    @property
    def inputs(self) -> dict[str, object]:
        """As of every job, and the order of the patterns: the first that matches wins."""
        return {**super().inputs, **_orders(self.ranges, self.roles)}


class PlanJob(Job):
    """Find the ranges and plan all strategies.

    Attributes:
        base: weights of the base network.
        spec: how to build it.
        scores: gradients of the sensitivity pass.
        curvature: its Hessian-gradient products; None where no baseline reads them.
        ranges: the ranges section, its targets as numbers.
        roles: the model section's roles, by path pattern; None: none.
        strategies: names, in order.
        target_sparsity: global sparsities that get a strategy each; None: none.
        seed: of the random baseline; 0 where it is not used.
        versions: of the packages that name the layers.
    """

    step: ClassVar[str] = "plan"
    kind: ClassVar[type[Record]] = PlanRecord
    step_version: ClassVar[int] = 2

    base: Artifact
    spec: ModelSpec
    scores: Artifact
    curvature: Artifact | None = None
    ranges: RangeSettings
    roles: dict[str, str] | None = None
    strategies: tuple[str, ...]
    target_sparsity: tuple[float, ...] | None = None
    seed: int
    versions: dict[str, str]

    @property
    def inputs(self) -> dict[str, object]:
        """As of every job, and the order of the patterns: the first that matches wins."""
        return {**super().inputs, **_orders(self.ranges, self.roles)}


class RivalsJob(Job):
    """Find what each rival prunes at each sparsity.

    Attributes:
        base: weights of the base network.
        spec: how to build it.
        scores: gradients of the sensitivity pass.
        curvature: its Hessian-gradient products; None where no rival reads them.
        rivals: keys of RIVALS, ``dense`` left out.
        sparsities: global, fractions.
        seeds: of ``random``; None where it is not asked for.
        versions: of the packages that name the layers.
    """

    step: ClassVar[str] = "rivals"
    kind: ClassVar[type[Record]] = RivalsRecord

    base: Artifact
    spec: ModelSpec
    scores: Artifact
    curvature: Artifact | None = None
    rivals: tuple[str, ...]
    sparsities: tuple[float, ...]
    seeds: tuple[int, ...] | None
    versions: dict[str, str]


def _orders(ranges: RangeSettings, roles: dict[str, str] | None) -> dict[str, object]:
    """Return the orders of patterns, which equal mappings do not show."""
    orders: dict[str, object] = {"layer_patterns": list(ranges.layers)}
    return {**orders, "role_patterns": list(roles)} if roles else orders
