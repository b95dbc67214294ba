"""What the slider chooses among: one entry per file, with the numbers and the texts it needs."""

from collections.abc import Mapping

from mixmatch.records import FamilyRecord, MemberRecord, QuantizedRecord, Result
from tasks.labels import member_label
from tasks.report.axes import AXES, SIZE
from tasks.report.marks import Json
from tasks.report.texts import interval, megabytes, percent, points


def choices(family: FamilyRecord, versions: Mapping[str, int]) -> list[Json]:
    """Return one entry per file of the family, an int8 file right after its float32 sibling.

    Args:
        family: the product of a run.
        versions: version in the registry by ``Result.key``; holds what was registered.
    """
    found = []
    for result in family.results:
        version = versions.get(result.key)
        found.append(_entry(result, result.member, family, _registered(version)))
        if result.int8 is not None:
            found.append(_entry(result, result.int8, family, _registered(version, " in float32")))
    return found


def _registered(version: int | None, as_what: str = "") -> str:
    return "not registered" if version is None else f"version {version}{as_what}"


def _entry(
    result: Result, file: MemberRecord | QuantizedRecord, family: FamilyRecord, registered: str
) -> Json:
    """Describe one file: numbers to choose by, where it stands in each chart, texts to show."""
    size_bytes = file.artifact.size_bytes
    is_int8 = isinstance(file, QuantizedRecord)
    return {
        "key": result.key,
        "values": "int8" if is_int8 else "float32",
        "validation": file.validation.value,
        "bytes": size_bytes,
        "marks": _marks(result, file),
        "texts": {
            "name": member_label(result.strategy, result.criterion, result.seed),
            "also": ", ".join(result.also) or "none",
            "values": "int8, a scale per channel" if is_int8 else "float32",
            "sparsity": percent(file.sparsity),
            "validation": percent(file.validation.value),
            "validation-interval": interval(file.validation),
            "test": percent(file.test.value),
            "test-interval": interval(file.test),
            "drop": f"{points(family.base.test.value - file.test.value)} points",
            "size": megabytes(size_bytes),
            "bytes": f"{size_bytes:,} bytes",
            "ratio": f"{family.base.artifact.size_bytes / size_bytes:.1f} times smaller",
            "version": registered,
        },
    }


def _marks(result: Result, file: MemberRecord | QuantizedRecord) -> Json:
    """Return the point of the chart that stands for the file, by axis and split.

    Only the chart over sizes has marks for int8 files; elsewhere their sibling's stands for them.
    """
    marks: Json = {}
    for axis in AXES.values():
        drawn = file if axis is SIZE else result.member
        place = axis.place(drawn)
        marks[axis.name] = {
            "test": [place, drawn.test.value],
            "validation": [place, drawn.validation.value],
        }
    return marks
