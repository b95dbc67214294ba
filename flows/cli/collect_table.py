"""What ``gc`` has removed or would remove: versions and runs one by one, files by kind."""

from typing import TYPE_CHECKING

from flows.cli.output import megabytes

if TYPE_CHECKING:
    from rich.console import Console

    from mixmatch.records import Collection, Removal

_ONE_BY_ONE = ("version", "run")
_CALLED = {
    "model": "models in MLflow",
    "folder": "folders of runs",
    "dvc": "pointers, listings and files under DVC",
    "record": "records of the store",
    "object": "files of the store",
    "training": "states of finished trainings",
}


def print_collection(console: "Console", found: "Collection") -> None:
    """Print what goes and why with the bytes that it frees, what stays, and what was left alone."""
    from rich import box  # noqa: PLC0415  slow to load, and help does without
    from rich.table import Table  # noqa: PLC0415  likewise

    table = Table(box=box.SIMPLE_HEAD)
    for name in ("what", "why"):
        table.add_column(name)
    fate = "would go" if found.dry_run else "gone"
    table.add_column("MB", justify="right")
    for one in found.removals:
        if one.kind in _ONE_BY_ONE:
            table.add_row(f"{one.kind} {one.name}", f"{fate}: {one.why}", megabytes(one.bytes))
    for kind, called in _CALLED.items():
        if group := [x for x in found.removals if x.kind == kind]:
            why = f"{fate}: {_reasons(group)}"
            table.add_row(f"{len(group)} {called}", why, megabytes(_sum(group)))
    for stay in found.stays:
        table.add_row(f"{stay.kind} {stay.name}", f"stays: {stay.why}", "-")
    console.print(table)
    verb = "would be freed" if found.dry_run else "freed"
    console.print(f"{megabytes(found.bytes_freed)} MB {verb}, {len(found.removals)} things")
    for note in found.notes:
        console.print(f"NOTE: {note}", soft_wrap=True)


def _reasons(group: "list[Removal]") -> str:
    return "; ".join(dict.fromkeys(x.why for x in group))


def _sum(group: "list[Removal]") -> int:
    return sum(x.bytes for x in group)
