"""Rivals as tables show them, and what drops in claims are measured against."""

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from mixmatch.records import Record, RivalResult
from tasks.labels import DENSE

if TYPE_CHECKING:
    from tasks.summary import BaseSummary

_MOST_IMAGES = 1_000_000  # of which an accuracy is a count; float64 tells such fractions apart


class RivalRow(Record):
    """One finished rival of a run.

    Attributes:
        rival: key in RIVALS.
        sparsity_asked: global sparsity that it was asked for, a fraction; 0 for ``dense``.
        seed: of fine-tuning; of the mask too for ``random``.
        sparsity: zeros among prunable weights, counted on the finished network, a fraction.
        validation_accuracy: top-1 on the validation images, a fraction.
        accuracy: top-1 on the test images, a fraction.
        accuracy_interval: its 95 % Wilson interval, fractions.
        accuracy_drop: the base's test accuracy minus this one's, a fraction.
        num_nonzero: prunable weights that are not zero.
        bytes: of the packed file on disk.
        digest: SHA-256 of the packed file.
        cached: whether it was found in the store.
    """

    rival: str
    sparsity_asked: float
    seed: int
    sparsity: float
    validation_accuracy: float
    accuracy: float
    accuracy_interval: tuple[float, float]
    accuracy_drop: float
    num_nonzero: int
    bytes: int
    digest: str
    cached: bool

    @classmethod
    def of(cls, result: RivalResult) -> "RivalRow":
        """Take from a record what people and programs ask for."""
        member = result.member
        return cls(
            rival=result.rival,
            sparsity_asked=result.sparsity,
            seed=result.seed,
            sparsity=member.sparsity,
            validation_accuracy=member.validation.value,
            accuracy=member.test.value,
            accuracy_interval=(member.test.low, member.test.high),
            accuracy_drop=result.accuracy_drop,
            num_nonzero=member.num_nonzero,
            bytes=member.artifact.size_bytes,
            digest=member.artifact.digest,
            cached=result.cached,
        )


class Unpruned(Record):
    """The unpruned network that drops in claims are measured against.

    Attributes:
        name: ``base`` or ``dense``.
        validation_accuracy: top-1 on the validation images, a fraction; over seeds the mean.
        accuracy: top-1 on the test images, likewise.
    """

    name: str
    validation_accuracy: float
    accuracy: float


def better_unpruned(base: "BaseSummary", compare: Sequence[RivalRow]) -> Unpruned | None:
    """Choose the better of base and dense control by validation accuracy; None without a control.

    Fine-tuning also repairs an under-trained base, so a drop against the base alone can flatter.
    Compares whole numbers of images; of equals the base is chosen.
    """
    control = [row for row in compare if row.rival == DENSE]
    if not control:
        return None
    values = (_exact(row.validation_accuracy) for row in control)
    validation = sum(values, start=Fraction()) / len(control)
    if validation <= _exact(base.validation_accuracy):
        return Unpruned(
            name="base", validation_accuracy=base.validation_accuracy, accuracy=base.accuracy
        )
    accuracy = sum(row.accuracy for row in control) / len(control)
    return Unpruned(name=DENSE, validation_accuracy=float(validation), accuracy=accuracy)


def _exact(accuracy: float) -> Fraction:
    """Return the whole numbers of images behind an accuracy, so that equal means are equal."""
    return Fraction(accuracy).limit_denominator(_MOST_IMAGES)


def claim_sentence(better: Unpruned) -> str:
    """Say for people what a drop in a claim counts against."""
    which = "the dense control, mean over seeds" if better.name == DENSE else "the base"
    return (
        "A drop in a claim counts against the better of base and dense control by validation "
        f"accuracy; here that is {which}, with {100 * better.accuracy:.2f} % on test."
    )
