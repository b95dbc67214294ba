"""What the trade-off's horizontal axis shows: sparsity, or the size of the file.

To add one: write an ``Axis`` here, add it to AXES, give it a button in family.html.j2 and a title
in script.js.j2.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mixmatch.records import Artifact, MemberRecord, QuantizedRecord, Result
from tasks.report.marks import Json
from tasks.report.texts import BYTES_PER_MEGABYTE


@dataclass(frozen=True, slots=True)
class Axis:
    """One horizontal axis, with the front that belongs to it.

    Attributes:
        name: key in AXES and in the page.
        place: where a network stands on it.
        is_on_front: whether a result is on its front.
        front: what the legend calls that.
        steps: Plotly's shape of the staircase: up to a sparsity, or from a size on, a point's
            accuracy can be had.
        label_places: where on their lines the labels of base, dense control and references stand,
            in turn; the base's end of the picture is the one where few marks are.
        layout: Plotly's settings.
    """

    name: str
    place: Callable[[MemberRecord | QuantizedRecord], float]
    is_on_front: Callable[[Result], bool]
    front: str
    steps: str
    label_places: tuple[str, ...]
    layout: Json


def megabytes_of(artifact: Artifact) -> float:
    """Return the size of a file on disk in units of 1,000,000 bytes."""
    return artifact.size_bytes / BYTES_PER_MEGABYTE


SPARSITY = Axis(
    name="sparsity",
    place=lambda measured: measured.sparsity,
    is_on_front=lambda result: result.on_front,
    front="Pareto front",
    steps="vh",
    label_places=("end", "start", "middle"),
    layout={"title": {"text": "sparsity"}, "tickformat": ".0%"},
)

SIZE = Axis(
    name="size",
    place=lambda measured: megabytes_of(measured.artifact),
    is_on_front=lambda result: result.on_size_front,
    front="size front, float32",
    steps="hv",
    label_places=("start", "end", "middle"),
    # Logarithmic: int8 files are several times smaller than float32 ones, and those differ as much.
    layout={
        "title": {"text": "file on disk, MB"},
        "type": "log",
        "tickformat": "~g",
        # So few that Plotly labels 2, 5 and 10 of a decade, not every digit.
        "nticks": 3,
        "minor": {"ticks": "outside"},
    },
)

AXES: Mapping[str, Axis] = MappingProxyType({axis.name: axis for axis in (SPARSITY, SIZE)})
