"""The command ``doctor``: what this installation sees, and what is wrong with it."""

from typing import TYPE_CHECKING

import typer

from flows.cli.options import AsJson, WorkspaceFolder

if TYPE_CHECKING:
    from tasks.doctor import Finding

_COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(workspace: WorkspaceFolder = None, as_json: AsJson = False) -> None:
    """Check versions, machine, workspace and servers.

    Exit code 1 if anything fails.

    Example: mixmatch doctor --json
    """
    from flows.cli.output import print_json  # noqa: PLC0415  next to its user
    from tasks.doctor import Diagnosis, diagnose  # noqa: PLC0415  pydantic is slow to load

    findings = []
    for finding in diagnose(workspace):
        _print(finding, err=as_json)
        findings.append(finding)
    diagnosis = Diagnosis(
        ok=all(finding.status != "fail" for finding in findings), findings=tuple(findings)
    )
    if as_json:
        print_json(diagnosis)
    if not diagnosis.ok:
        raise typer.Exit(1)


def _print(finding: "Finding", *, err: bool) -> None:
    status = typer.style(f"{finding.status:<4}", fg=_COLORS[finding.status])
    typer.echo(f"{status}  {finding.name:<16}  {finding.sentence}", err=err)
