"""The command ``reap``: close what killed processes left behind."""

from typing import TYPE_CHECKING

import typer

from flows.cli.options import AsJson, WorkspaceFolder, open_site

if TYPE_CHECKING:
    from flows.reap import Reaped


def reap(workspace: WorkspaceFolder = None, as_json: AsJson = False) -> None:
    """Close what killed processes left behind.

    Runs that are still shown as running, servers without an owner, scratch. A run that computes
    something does the same first. What a living process holds is never touched, on whatever machine
    it is.

    Example: mixmatch reap --json
    """
    site = open_site(workspace)

    from flows.cli.output import print_json  # noqa: PLC0415  next to its user
    from flows.reap import reap as close_all  # noqa: PLC0415  takes seconds to load

    reaped = close_all(site)
    for line in lines_of(reaped):
        typer.echo(line, err=as_json)
    if as_json:
        print_json(reaped)


def lines_of(reaped: "Reaped") -> list[str]:
    """Say what was closed, one line per kind; a single line where nothing was left behind."""
    counts = {
        "flow runs set to Crashed": len(reaped.flow_runs),
        "task runs set to Crashed": reaped.num_task_runs,
        "MLflow runs set to KILLED": len(reaped.tracked_runs),
        "Prefect servers ended": len(reaped.server_ports),
        "other servers ended": len(reaped.processes),
        "leftover files and folders removed": len(reaped.leftovers),
        "leases of dead processes removed": reaped.num_leases,
    }
    lines = [f"{count:>5}  {what}" for what, count in counts.items() if count]
    return lines or ["Nothing was left behind."]
