"""How a study's figures look, and how they are written so that equal figures have equal bytes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tasks.study.files import write_whole

# Okabe and Ito (2008): told apart with every kind of colour vision. Marks differ as well. There
# are seven and eight, without a common divisor, so that no two of 56 series look alike.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKS = ("o", "s", "D", "^", "v", "P", "X", "*")

_DOTS_PER_INCH = 150
_LOOKS: Mapping[Any, object] = {
    "svg.hashsalt": "mixmatch",  # ids in the file follow from its content
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}
# Dates and versions would make every file another one.
_NO_DATE = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}


@contextmanager
def looks() -> Iterator[None]:
    """Draw and save in the body with our looks, whatever the user's matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_LOOKS)
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches, that knows no window and no global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def series_looks(number: int, line: str) -> dict[str, Any]:
    """Return how ``Axes.errorbar`` draws the series of this number; ``line`` joins its points."""
    return {
        "color": COLORS[number % len(COLORS)],
        "marker": MARKS[number % len(MARKS)],
        "markersize": 5,
        "linestyle": line,
        "linewidth": 1.0,
        "elinewidth": 0.8,
        "capsize": 2,
        "alpha": 0.9,
    }


def save_figure(figure: Figure, folder: Path, name: str) -> None:
    """Write ``NAME.svg`` and ``NAME.png``.

    Raises:
        WorkspaceError: a file cannot be written.
    """
    for ending, metadata in _NO_DATE.items():

        def write(place: Path, ending: str = ending, metadata: object = metadata) -> None:
            figure.savefig(place, format=ending, metadata=metadata, dpi=_DOTS_PER_INCH)

        write_whole(folder / f"{name}.{ending}", write)
