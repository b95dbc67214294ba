"""Write report.html: the template, the charts' data and Plotly's script in one file."""

import os
from collections.abc import Mapping
from pathlib import Path

import jinja2

from mixmatch.errors import WorkspaceError
from mixmatch.records import FamilyRecord, PlanRecord
from mixmatch.statistics import paired_loss
from tasks.compare import RivalRow, better_unpruned, claim_sentence
from tasks.report.axes import AXES
from tasks.report.choices import choices
from tasks.report.latency import latency_of
from tasks.report.layer_map import layer_map
from tasks.report.texts import interval, megabytes, milliseconds, percent, points
from tasks.report.trade_off import trade_off
from tasks.summary import BaseSummary


def write_report(
    family: FamilyRecord,
    plan: PlanRecord,
    out: Path,
    *,
    versions: Mapping[str, int],
    references: Mapping[str, float] | None = None,
) -> None:
    """Write the report of a run as one file that opens anywhere, without a network.

    The same arguments give the same bytes. About five megabytes, nearly all of it Plotly.

    Args:
        family: the product of the run.
        plan: its layers and strategies.
        out: the file, replaced if it is there.
        versions: version in the registry by ``Result.key``; holds what was registered.
        references: further horizontal lines of the chart, test accuracy by label, fractions.

    Raises:
        WorkspaceError: ``out`` cannot be written.
    """
    page = _page(family, plan, versions, references or {})
    torn = out.with_name(f".{out.name}.new")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        torn.write_text(page, encoding="utf-8")
        os.replace(torn, out)
    except OSError as error:
        raise WorkspaceError(
            f"The report {out} must be a file that can be written ({error.strerror})."
        ) from error


def _page(
    family: FamilyRecord,
    plan: PlanRecord,
    versions: Mapping[str, int],
    references: Mapping[str, float],
) -> str:
    from plotly.offline import get_plotlyjs  # noqa: PLC0415  slow to import

    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            family=family,
            plan=plan,
            versions=versions,
            references=references,
            claim=_claim(family),
            losses={
                x.key: paired_loss(x.member.test, x.int8.test) for x in family.results if x.int8
            },
            latency=latency_of(family),
            plotly=get_plotlyjs(),
            data=_data(family, plan, versions, references),
        )
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "interval": interval,
        "points": points,
        "megabytes": megabytes,
        "milliseconds": milliseconds,
    }
    return environment


def _data(
    family: FamilyRecord,
    plan: PlanRecord,
    versions: Mapping[str, int],
    references: Mapping[str, float],
) -> dict[str, object]:
    """Return what the page's script reads: the slider's entries and all charts."""
    charts = {
        axis.name: {
            "test": trade_off(family, axis, "test", references),
            "validation": trade_off(family, axis, "validation", {}),
        }
        for axis in AXES.values()
    }
    return {"rows": choices(family, versions), "charts": charts, "layers": layer_map(plan)}


def _claim(family: FamilyRecord) -> str | None:
    """Say what drops in claims are measured against; None without a dense control."""
    rivals = [RivalRow.of(rival) for rival in family.rivals]
    better = better_unpruned(BaseSummary.of(family.base), rivals)
    return claim_sentence(better) if better else None
