"""Write report.html: the template, the charts' data and Plotly's script in one file."""

import os
from collections.abc import Mapping
from pathlib import Path

import jinja2

from mixmatch.errors import WorkspaceError
from mixmatch.records import FamilyRecord, PlanRecord, Result
from tasks.compare import RivalRow, better_unpruned, claim_sentence
from tasks.labels import member_label
from tasks.report.charts import layer_map, trade_off
from tasks.report.texts import interval, megabytes, percent, points
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
    }
    return environment.get_template("report.html.j2").render(
        family=family,
        plan=plan,
        versions=versions,
        references=references,
        claim=_claim(family),
        plotly=get_plotlyjs(),
        data={
            "rows": [_row(result, versions, family) for result in family.results],
            "charts": {
                "test": trade_off(family, "test", references),
                "validation": trade_off(family, "validation", {}),
                "layers": layer_map(plan),
            },
        },
    )


def _claim(family: FamilyRecord) -> str | None:
    """Say what drops in claims are measured against; None without a dense control."""
    rivals = [RivalRow.of(rival) for rival in family.rivals]
    better = better_unpruned(BaseSummary.of(family.base), rivals)
    return claim_sentence(better) if better else None


def _row(result: Result, versions: Mapping[str, int], family: FamilyRecord) -> dict[str, object]:
    """Return what the slider needs of one result: numbers to choose by, texts to show."""
    member = result.member
    size_bytes = member.artifact.size_bytes
    version = versions.get(result.key)
    return {
        "key": result.key,
        "sparsity": member.sparsity,
        "validation": member.validation.value,
        "test": member.test.value,
        "bytes": size_bytes,
        "texts": {
            "name": member_label(result.strategy, result.criterion, result.seed),
            "also": ", ".join(result.also) or "none",
            "sparsity": percent(member.sparsity),
            "validation": percent(member.validation.value),
            "validation-interval": interval(member.validation),
            "test": percent(member.test.value),
            "test-interval": interval(member.test),
            "drop": f"{points(result.accuracy_drop)} points",
            "size": megabytes(size_bytes),
            "bytes": f"{size_bytes:,} bytes",
            "ratio": f"{family.base.artifact.size_bytes / size_bytes:.1f} times smaller",
            "version": "not registered" if version is None else f"version {version}",
        },
    }
