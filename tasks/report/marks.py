"""What the marks of all charts share: which accuracy is drawn, with its interval."""

from collections.abc import Sequence
from typing import Literal

from mixmatch.records import Accuracy, BaseRecord, MemberRecord
from tasks.report.texts import interval, megabytes, percent

Split = Literal["test", "validation"]
Json = dict[str, object]


def accuracy_of(measured: BaseRecord | MemberRecord, split: Split) -> Accuracy:
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


def measured_lines(member: MemberRecord) -> tuple[str, ...]:
    """Say what was measured, a line each, for a hover text."""
    return (
        f"sparsity {percent(member.sparsity)}",
        f"validation {percent(member.validation.value)} ({interval(member.validation)})",
        f"test {percent(member.test.value)} ({interval(member.test)})",
        f"{megabytes(member.artifact.size_bytes)} ({member.artifact.size_bytes:,} bytes)",
    )
