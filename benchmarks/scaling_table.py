"""docs/scaling.md from the rows of ``scaling.py``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

MARK = "<!-- benchmarks/scaling.py writes all that follows -->"
_NOT_YET = "not measured yet"
_KINDS = ("flow and scheduler", "worker", "server of Prefect")


def write_document(document: Path, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the page's tables from all rows; what stands above them is text."""
    text = document.read_text() if document.is_file() else ""
    head = text.partition(MARK)[0].rstrip()
    lines = [
        "| what | goal | measured |",
        "|---|---|---|",
        *(_line(*x) for x in _goals(rows)),
        "",
        *_memory(rows),
        *_stages(rows),
    ]
    for row in rows.values():
        place = f"Machine: {row['machine']}. Versions: {row['versions']}. "
        lines += [
            place + "Seeds: 0 for data, base and calibration; those of the runs 0 to 33 "
            "and 100 to 219. Command: `make scaling`."
        ]
        break
    document.write_text("\n".join([head, "", MARK, "", *lines, ""]))


def overhead_s(row: Mapping[str, Any]) -> float:
    """Return the wall time of a run without the work in it."""
    return float(row["seconds"] - row["work_s"])


def _goals(rows: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, str | None]]:
    many, equal, long, after = (rows.get(x) for x in ("thousand", "equal", "long", "afterwards"))
    return [
        (
            "images/s of 2 one-thread workers over those of 1, 20 equal jobs",
            "at least 1.7",
            equal
            and f"{equal['ratio']:.2f} ({equal['seconds_1']:.0f} s and "
            f"{equal['seconds_2']:.0f} s from the first job's start to the last one's end)",
        ),
        (
            "wall time minus work, a run of ten minutes",
            "at most 5 %",
            long and f"{100 * overhead_s(long) / long['seconds']:.1f} % of {long['seconds']:.0f} s",
        ),
        (
            "wall time minus work per result, 1,020 results",
            "at most 0.25 s",
            many
            and f"{overhead_s(many) / many['results']:.3f} s ({many['results']} results in "
            f"{many['seconds']:.0f} s, {many['work_s']:.0f} s of them work of two workers)",
        ),
        (
            "the same command again: all from the store",
            "-",
            after and f"{after['again']:.1f} s",
        ),
        (
            "`mixmatch list` and `mixmatch show` then",
            "-",
            after and f"{after['list']:.1f} s and {after['show']:.1f} s",
        ),
        (
            "report.html: size, and until Chromium has drawn it",
            "seconds",
            after and f"{after['report_bytes'] / 1e6:.1f} MB, {_seconds(after['browser'])}",
        ),
        (
            "results with a registered version: those on a front, one seed of each",
            "-",
            after and f"{after['registered']} of 1,020",
        ),
        (
            "the workspace on disk",
            "-",
            after and f"{after['workspace_bytes'] / 1e6:.0f} MB",
        ),
    ]


def _memory(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    few, many = rows.get("ten"), rows.get("thousand")
    if few is None or many is None:
        return []
    names = [x for x in _KINDS if x in few["peak_bytes"] and x in many["peak_bytes"]]
    peaks = [(few["peak_bytes"][x], many["peak_bytes"][x]) for x in names]
    return [
        f"Peak resident memory of a process, a run of {few['results']} results and one of "
        f"{many['results']:,}:",
        "",
        "| process | few | many | ratio |",
        "|---|---|---|---|",
        *(
            f"| {name} | {a / 1e6:.0f} MB | {b / 1e6:.0f} MB | {b / a:.2f} |"
            for name, (a, b) in zip(names, peaks, strict=True)
        ),
        "",
    ]


def _stages(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    many = rows.get("thousand")
    if many is None:
        return []
    took = ", ".join(f"{name} {s:.1f} s" for name, s in many["stages"].items() if s >= 0.5)
    return [f"Where the wall time of the {many['results']:,} results went: {took}.", ""]


def _line(what: str, goal: str, measured: str | None) -> str:
    return f"| {what} | {goal} | {measured or _NOT_YET} |"


def _seconds(value: float | None) -> str:
    return "no Chromium" if value is None else f"{value:.1f} s"
