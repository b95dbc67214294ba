"""What a promotion came to: every version with its gates, and what happened to the alias."""

from typing import TYPE_CHECKING

from flows.cli.facts_table import print_facts
from flows.cli.output import megabytes, percent

if TYPE_CHECKING:
    from rich.console import Console

    from mixmatch.records import Candidate
    from tasks.promotion import PromotionSummary

_PASSED, _MISSED = "✓", "✗"


def print_promotion(console: "Console", summary: "PromotionSummary") -> None:
    """Print the gates per version, then what was decided and done."""
    if summary.candidates:
        _print_candidates(console, summary)
    print_facts(console, _facts(summary))
    for warning in summary.warnings:
        console.print(f"WARNING: {warning}", style="bold yellow", soft_wrap=True)


def _print_candidates(console: "Console", summary: "PromotionSummary") -> None:
    from rich import box  # noqa: PLC0415  slow to load, and help does without
    from rich.table import Table  # noqa: PLC0415  likewise

    allowed = _allowed(summary.candidates)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("")
    for name in ("version", "sparsity %", "valid. %", "test %", "MB"):
        table.add_column(name, justify="right")
    for name, demand in allowed.items():
        table.add_column(f"{name}\n{demand}", justify="right", overflow="fold")
    for one in summary.candidates:
        chosen = one.version == summary.version and summary.outcome not in ("nothing", "refused")
        found = {gate.name: gate for gate in one.gates}
        cells = [
            "" if name not in found else f"{found[name].found} {_mark(ok=found[name].ok)}"
            for name in allowed
        ]
        table.add_row("*" if chosen else "", *_figures(one), *cells)
    console.print(table)
    note = "* preferred among those that pass; " if summary.version else ""
    num_passed = sum(one.passes for one in summary.candidates)
    console.print(f"{note}{num_passed} of {len(summary.candidates)} versions pass\n")


def _figures(one: "Candidate") -> tuple[str, ...]:
    accuracies = (one.validation_accuracy, one.accuracy)
    return (
        str(one.version),
        percent(one.sparsity),
        *(percent(x) for x in accuracies),
        megabytes(one.bytes),
    )


def _allowed(candidates: "tuple[Candidate, ...]") -> dict[str, str]:
    """Return what each gate demands, in the order in which the gates stand."""
    longest = sorted(candidates, key=lambda one: -len(one.gates))
    return {gate.name: gate.allowed for one in longest for gate in one.gates}


def _mark(*, ok: bool) -> str:
    return _PASSED if ok else _MISSED


def _facts(summary: "PromotionSummary") -> dict[str, str]:
    facts = {"Alias": _sentence(summary)}
    if again := summary.reevaluated:
        facts["Evaluated"] = (
            f"the registry's own file of version {again.version}, again: validation "
            f"{percent(again.validation_accuracy)} %, test {percent(again.accuracy)} %, "
            f"{again.bytes:,} bytes, all as recorded ({again.seconds:.1f} s)"
        )
    if summary.policy_digest:
        facts["Policy"] = summary.policy_digest
    if summary.entry is not None:
        facts["Ledger"] = f"entry {summary.entry}, {summary.entry_digest}"
    return facts


def _sentence(summary: "PromotionSummary") -> str:
    alias, version = f"{summary.name}@{summary.alias}", summary.version
    before = "nobody" if summary.held_before is None else f"version {summary.held_before}"
    would = " (dry run: nothing was changed)" if summary.dry_run else ""
    sentences = {
        "promoted": f"is version {version}, before it was {before}{would}",
        "rolled_back": f"is back at version {version}, before it was {before}",
        "unchanged": f"is version {version} already",
        "requested": f"stays at {before} until a person approves version {version}{would}",
        "pending": f"stays at {before}; version {version} still waits for a person",
        "refused": f"stays at {before}: the request was refused",
        "nothing": f"stays at {before}: no version passes",
    }
    return f"{alias} {sentences[summary.outcome]}"
