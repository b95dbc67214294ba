"""What each step is asked to do. A job holds all true inputs of its step and nothing else.

Its ``key``, the SHA-256 of these inputs, the step's name and the step's version, is the name of the
step's record in the store and Prefect's cache key. Raise ``step_version`` when a change to the code
of a step changes its numbers. A job holds digests and settings, never a path or a tensor.
"""

from importlib.metadata import version
from typing import ClassVar

from mixmatch.config import DataSettings, FineTuneSettings, ModelSettings, RangeSettings
from mixmatch.digests import json_digest
from mixmatch.records import (
    Artifact,
    BaseRecord,
    DataRecord,
    Execution,
    HostRecord,
    LatencyRecord,
    MemberRecord,
    ModelSpec,
    PlanRecord,
    QuantizedRecord,
    Record,
    RivalsRecord,
    SensitivityRecord,
    TargetsRecord,
)


class Job(Record):
    """Base of all jobs: ``inputs`` is what the key is the digest of."""

    step: ClassVar[str]
    kind: ClassVar[type[Record]]  # of the record that the step returns
    step_version: ClassVar[int] = 1

    @property
    def inputs(self) -> dict[str, object]:
        """All true inputs as plain JSON, with the step's name and version.

        What is None is left out: a setting that is added later and off by default leaves the keys
        of old jobs as they are.
        """
        stated = self.model_dump(mode="json", exclude_none=True)
        return {"step": self.step, "version": self.step_version, **stated}

    @property
    def key(self) -> str:
        """SHA-256 of ``inputs``, 64 hexadecimal characters."""
        return json_digest(self.inputs)


class FetchJob(Job):
    """Read a data set, resize it, split it.

    Attributes:
        settings: what the data section says, without places and without what only preprocessing
            reads (see ``data_job``).
        source_digest: SHA-256 that stands for the content of the source.
        calibration_fraction: part of the training images.
        seed: of the splits.
        versions: of the package that decodes and resizes.
        grouping: what is never divided between splits (traffic signs, of which there are many
            pictures); None: every image is of its own.
    """

    step: ClassVar[str] = "fetch"
    kind: ClassVar[type[Record]] = DataRecord

    settings: dict[str, object]
    source_digest: str
    calibration_fraction: float
    seed: int
    versions: dict[str, str]
    grouping: str | None = None


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


class MemberJob(Job):
    """Prune, fine-tune and evaluate one member of the family: one (mask, seed).

    Attributes:
        base: weights of the base network.
        data: the data set.
        spec: how to build the network and feed it.
        criterion: key in CRITERIA, or in RIVALS for a rival or a reference.
        scores: gradients of the sensitivity pass; None where the criterion does not read them.
        curvature: its Hessian-gradient products; None likewise.
        num_pruned: weights that go, by layer name; empty for the dense control.
        start: key of the member job whose network this one starts from; None: the base.
        fine_tune: the fine_tune section.
        augmentation: of training.
        seed: batch order and augmentation.
        execution: how arithmetic is done.
    """

    step: ClassVar[str] = "member"
    kind: ClassVar[type[Record]] = MemberRecord
    step_version: ClassVar[int] = 2

    base: Artifact
    data: Artifact
    spec: ModelSpec
    criterion: str
    scores: Artifact | None
    curvature: Artifact | None = None
    num_pruned: dict[str, int]
    start: str | None = None
    fine_tune: FineTuneSettings
    augmentation: str
    seed: int
    execution: Execution

    @property
    def inputs(self) -> dict[str, object]:
        """As of every job, without what orders the members among each other."""
        stated = super().inputs
        of_one = self.fine_tune.model_dump(mode="json", exclude_none=True, exclude=_OF_THE_FAMILY)
        return {**stated, "fine_tune": of_one}


class QuantizeJob(Job):
    """Round a finished member's weights to int8, evaluate it again, and write its file.

    Attributes:
        member: packed file of the member.
        data: the data set.
        spec: how to build the network and feed it.
        execution: how arithmetic is done; that of the member.
    """

    step: ClassVar[str] = "quantize"
    kind: ClassVar[type[Record]] = QuantizedRecord

    member: Artifact
    data: Artifact
    spec: ModelSpec
    execution: Execution


class LatencyJob(Job):
    """Measure how long the base and some members take on this machine.

    Attributes:
        base: weights of the base network.
        members: packed files, in the order of the family.
        data: the data set: its calibration images calibrate, and are what is timed.
        spec: how to build the networks and feed them.
        batches: numbers of images at once.
        threads: that each network may use.
        host: where; another machine measures anew.
    """

    step: ClassVar[str] = "latency"
    kind: ClassVar[type[Record]] = LatencyRecord

    base: Artifact
    members: tuple[Artifact, ...]
    data: Artifact
    spec: ModelSpec
    batches: tuple[int, ...]
    threads: int
    host: HostRecord


# Settings of the fine_tune section that no single member reads.
_OF_THE_FAMILY = {"order", "budget"}


def _orders(ranges: RangeSettings, roles: dict[str, str] | None) -> dict[str, object]:
    """Return the orders of patterns, which equal mappings do not show."""
    orders: dict[str, object] = {"layer_patterns": list(ranges.layers)}
    return {**orders, "role_patterns": list(roles)} if roles else orders


# What the pictures of a data set are several of.
_GROUPING = {"gtsrb": "sign"}


def data_job(
    settings: DataSettings, source_digest: str, calibration_fraction: float, seed: int
) -> FetchJob:
    """Ask for a data set; settings that do not change its file are left out."""
    unread = {"root", "validation_root", "normalization", "augmentation"}
    return FetchJob(
        settings=settings.model_dump(mode="json", exclude=unread),
        source_digest=source_digest,
        calibration_fraction=calibration_fraction,
        seed=seed,
        versions={"pillow": version("pillow")},
        grouping=_GROUPING.get(settings.name),
    )
