"""The int8 file of one result of a study: a line of ``int8.jsonl``."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field

from mixmatch.records import Accuracy, QuantizedRecord, Record
from tasks.study.configurations import configurations
from tasks.study.facts import now
from tasks.study.fronts import labels_on_fronts
from tasks.study.machine import Machine
from tasks.study.row import BASE, StudyRow

Quantize = Literal["none", "front", "all"]  # as the run file's setting


class Int8Row(Record):
    """What is left of one result when its weights are rounded to int8.

    Attributes:
        label: of the result. If the store no longer held its network, that was computed again.
        num_nonzero: prunable weights that are not zero after rounding, counted on the file.
        sparsity: zeros among prunable weights / prunable weights, a fraction.
        bytes: of the file on disk.
        validation: of the network that the file gives back.
        test: likewise.
        seconds: wall time of the job.
        hardware: of the machine that wrote the row down.
        versions: of that machine's packages.
        finished_at: when the row was made, UTC, ISO 8601.
    """

    label: str
    num_nonzero: int
    sparsity: float
    bytes: int
    validation: Accuracy
    test: Accuracy
    seconds: float
    hardware: str
    versions: dict[str, str]
    finished_at: str = Field(default_factory=now)

    @classmethod
    def of(cls, label: str, record: QuantizedRecord, machine: Machine) -> Self:
        """Take an int8 file that ``machine`` has made or found in its store."""
        return cls(
            label=label,
            num_nonzero=record.num_nonzero,
            sparsity=record.sparsity,
            bytes=record.artifact.size_bytes,
            validation=record.validation,
            test=record.test,
            seconds=record.seconds,
            hardware=machine.hardware,
            versions=machine.versions,
        )


def wanted_int8(rows: Sequence[StudyRow], quantize: Quantize) -> frozenset[str]:
    """Return the labels of the results whose int8 files are asked for.

    ``front`` asks for all seeds of every configuration on a front: of the family, of one of its
    criteria, of one rival.
    """
    if quantize == "none":
        return frozenset()
    found = [x for x in configurations(rows) if x.label != BASE]
    if quantize == "front":
        on_fronts = labels_on_fronts(found)
        found = [x for x in found if x.label in on_fronts]
    return frozenset(row.label for x in found for row in x.rows)
