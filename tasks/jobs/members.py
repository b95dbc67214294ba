"""Jobs on single networks of the family: compute one, round it, time some."""

from typing import ClassVar

from mixmatch.config import FineTuneSettings
from mixmatch.records import (
    Artifact,
    Execution,
    HostRecord,
    LatencyRecord,
    MemberRecord,
    ModelSpec,
    QuantizedRecord,
    Record,
)
from tasks.jobs.job import Job


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
    step_version: ClassVar[int] = 3

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


# Settings of the fine_tune section that no single member reads.
_OF_THE_FAMILY = {"order", "budget"}


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
