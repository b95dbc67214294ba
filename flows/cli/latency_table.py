"""How long base and members take on this machine, as a table."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from tasks.deployment_summary import LatencySummary


def print_latency(console: "Console", latency: "LatencySummary") -> None:
    """Print a line per network: its median per runtime and batch size, milliseconds."""
    from rich import box  # noqa: PLC0415  slow to load, and help does without
    from rich.table import Table  # noqa: PLC0415  likewise

    host = latency.host
    threads = "1 thread" if latency.threads == 1 else f"{latency.threads} threads"
    console.print(
        f"Milliseconds per batch, medians, on {host.processor} with {threads} per network; "
        "quartiles are in the report.",
        soft_wrap=True,
    )
    found = {(x.network, x.runtime, x.batch): x.median_s for x in latency.rows}
    columns = list(dict.fromkeys((x.runtime, x.batch) for x in latency.rows))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("network", no_wrap=True)
    for runtime, batch in columns:
        table.add_column(f"{runtime}\n{batch} at once", justify="right", no_wrap=True)
    for network in dict.fromkeys(x.network for x in latency.rows):
        cells = (_milliseconds(found.get((network, *column))) for column in columns)
        table.add_row(network, *cells)
    console.print(table)


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1e3 * seconds:.2f}"
