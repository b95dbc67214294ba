"""What the marks of all charts share: which accuracy is drawn, with its interval."""

from collections.abc import Sequence
from typing import Literal

from mixmatch.records import Accuracy, BaseRecord, MemberRecord, QuantizedRecord
from tasks.report.texts import interval, megabytes, percent

Split = Literal["test", "validation"]
Json = dict[str, object]

# Of the family's criteria, in order: they can be told apart without seeing their colours.
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")


def accuracy_of(measured: BaseRecord | MemberRecord | QuantizedRecord, split: Split) -> Accuracy:
    """Return the accuracy on one split."""
    return measured.test if split == "test" else measured.validation


def error_bars(accuracies: Sequence[Accuracy]) -> Json:
    """Return vertical bars over the 95 % intervals."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [accuracy.high - accuracy.value for accuracy in accuracies],
        "arrayminus": [accuracy.value - accuracy.low for accuracy in accuracies],
        "thickness": 1,
        "width": 3,
    }


def measured_lines(measured: MemberRecord | QuantizedRecord) -> tuple[str, ...]:
    """Say what was measured, a line each, for a hover text."""
    size_bytes = measured.artifact.size_bytes
    return (
        f"sparsity {percent(measured.sparsity)}",
        f"validation {percent(measured.validation.value)} ({interval(measured.validation)})",
        f"test {percent(measured.test.value)} ({interval(measured.test)})",
        f"{megabytes(size_bytes)} ({size_bytes:,} bytes)",
    )
