"""The command ``doctor``: what this installation sees, and what is wrong with it."""

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson, WorkspaceFolder
from mixmatch.errors import WorkspaceError

if TYPE_CHECKING:
    from tasks.doctor import Finding

_COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
    store: Annotated[
        str | None,
        typer.Option(metavar="PLACE", help="Folder or s3://BUCKET/PREFIX, as in a run file."),
    ] = None,
) -> None:
    """Check versions, machine, workspace, store and servers.

    Exit code 1 if anything fails.

    Example: mixmatch doctor --json
    """
    from flows.cli.output import print_json  # noqa: PLC0415  next to its user
    from tasks.doctor import Diagnosis, diagnose  # noqa: PLC0415  pydantic is slow to load

    findings = []
    for finding in chain(diagnose(workspace, store), [_prefect_server(workspace)]):
        _print(finding, err=as_json)
        findings.append(finding)
    diagnosis = Diagnosis(
        ok=all(finding.status != "fail" for finding in findings), findings=tuple(findings)
    )
    if as_json:
        print_json(diagnosis)
    if not diagnosis.ok:
        raise typer.Exit(1)


def _prefect_server(root: Path | None) -> "Finding":
    from flows.server import server_url  # noqa: PLC0415  next to its user
    from tasks.doctor import Finding  # noqa: PLC0415  pydantic is slow to load
    from tasks.workspace import Workspace  # noqa: PLC0415  next to its user

    try:
        url = server_url(Workspace.open(root))
    except WorkspaceError:
        url = None  # has a line of its own
    sentence = f"answers at {url}." if url else "none is running; each run starts its own."
    return Finding(name="prefect server", status="ok", sentence=sentence)


def _print(finding: "Finding", *, err: bool) -> None:
    status = typer.style(f"{finding.status:<4}", fg=_COLORS[finding.status])
    typer.echo(f"{status}  {finding.name:<16}  {finding.sentence}", err=err)
