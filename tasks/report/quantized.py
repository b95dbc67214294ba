"""The family's int8 files: marks of their own in the chart over sizes."""

from collections.abc import Iterator, Sequence
from html import escape

from mixmatch.records import QuantizedRecord, Result
from mixmatch.statistics import paired_loss
from tasks.report.axes import SIZE
from tasks.report.marks import SYMBOLS, Json, Split, accuracy_of, error_bars, measured_lines
from tasks.report.texts import points

_MARK_SIZE = 9


def quantized_series(results: Sequence[Result], split: Split) -> list[Json]:
    """Draw the int8 files over their size, a series per criterion in its mark and colour.

    Returns:
        First one trace of lines that join each file to its float32 sibling, then the series;
        nothing without int8 files.
    """
    criteria = dict.fromkeys(result.criterion for result in results)
    found = [
        (number, name, pairs)
        for number, name in enumerate(criteria)
        if (pairs := list(_pairs([x for x in results if x.criterion == name])))
    ]
    if not found:
        return []
    joined = _joins([pair for *_, pairs in found for pair in pairs], split)
    return [joined, *(_series(*one, split) for one in found)]


def _pairs(results: Sequence[Result]) -> Iterator[tuple[Result, QuantizedRecord]]:
    return ((result, result.int8) for result in results if result.int8 is not None)


def _joins(pairs: Sequence[tuple[Result, QuantizedRecord]], split: Split) -> Json:
    places: list[float | None] = []
    accuracies: list[float | None] = []
    for result, int8 in pairs:
        # None breaks the line after each pair.
        places += (SIZE.place(result.member), SIZE.place(int8), None)
        accuracies += (accuracy_of(x, split).value for x in (result.member, int8))
        accuracies.append(None)
    return {
        "type": "scatter",
        "mode": "lines",
        "showlegend": False,
        "x": places,
        "y": accuracies,
        "line": {"width": 1, "dash": "dot"},
        "hoverinfo": "skip",
        "meta": {"part": "join"},
    }


def _series(
    number: int, criterion: str, pairs: Sequence[tuple[Result, QuantizedRecord]], split: Split
) -> Json:
    accuracies = [accuracy_of(int8, split) for _, int8 in pairs]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{escape(criterion)}, int8",
        "x": [SIZE.place(int8) for _, int8 in pairs],
        "y": [accuracy.value for accuracy in accuracies],
        "error_y": error_bars(accuracies),
        "marker": {
            "symbol": f"{SYMBOLS[number % len(SYMBOLS)]}-open-dot",
            "size": _MARK_SIZE,
            "line": {"width": 1.5},
        },
        "hovertext": [_hover(result, int8) for result, int8 in pairs],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "meta": {"part": "int8", "number": number},
    }


def _hover(result: Result, int8: QuantizedRecord) -> str:
    loss = paired_loss(result.member.test, int8.test)
    ends = f"{points(loss.low)} to {points(loss.high)}"
    lines = (
        f"int8 of {result.criterion}, seed {result.seed}",
        *measured_lines(int8),
        f"lost on test {points(loss.difference)} points ({ends})",
    )
    return f"<b>{escape(result.strategy)}</b><br>" + "<br>".join(map(escape, lines))
