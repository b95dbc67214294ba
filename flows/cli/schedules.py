"""Commands of runs that start by themselves: ``schedule`` and ``serve``."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.foreground import ctrl_c_on_sigterm
from flows.cli.options import AsJson, Overrides, WorkspaceFolder, load, open_site
from mixmatch.errors import ConfigError, ServiceError

if TYPE_CHECKING:
    from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

    from flows.deployments import ScheduleRow, ScheduleRows

_LEAST_S = 10.0  # the worker asks for due runs about this often
_POLL_S = 1.0
_POOL = "mixmatch"

Pool = Annotated[str, typer.Option("--pool", help="Prefect's work pool whose worker runs it.")]


def schedule(  # noqa: PLR0913, PLR0917  each is an option of the command line
    run_file: Annotated[
        Path | None, typer.Argument(metavar="[RUN.yaml]", help="The run file; without: list.")
    ] = None,
    cron: Annotated[
        str | None, typer.Option("--cron", metavar="'M H D M W'", help="When, as cron writes it.")
    ] = None,
    every: Annotated[
        float | None, typer.Option("--every", metavar="SECONDS", help="Or how often, at least 10.")
    ] = None,
    timezone: Annotated[str, typer.Option("--timezone", help="Of --cron.")] = "UTC",
    name: Annotated[
        str | None, typer.Option("--name", help="Of the schedule; else the run file's.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the schedule.")] = False,
    overrides: Overrides = None,
    workspace: WorkspaceFolder = None,
    pool: Pool = _POOL,
    as_json: AsJson = False,
) -> None:
    """Compress at fixed times whatever has changed.

    Creates the schedule, or replaces the one of that name. Without a run file, lists all.

    Example: mixmatch schedule run.yaml --cron "0 2 * * *" --name nightly
    """
    if run_file is None:
        site, named = open_site(workspace), name
    else:
        config, site = load(run_file, overrides, workspace)
        named = name or config.run_name
    _check(run_file, cron, every, named, remove=remove)
    from flows import deployments as prefect  # noqa: PLC0415  Prefect takes seconds to load
    from flows.server import local_server  # noqa: PLC0415  next to its user

    if remove:
        work: Callable[[], ScheduleRow] = lambda: prefect.remove_schedule(str(named))  # noqa: E731
    elif run_file is not None:
        from tasks.deployable import with_absolute_places  # noqa: PLC0415  next to its user

        due = _due(cron, every, timezone)
        work = lambda: prefect.save_schedule(  # noqa: E731
            with_absolute_places(config), site, due, name=str(named), pool=pool, folder=Path.cwd()
        )
    with local_server(site.open_workspace()):
        found = work() if remove or run_file is not None else prefect.list_schedules()
    _print(found, as_json=as_json, removed=remove)


def serve(workspace: WorkspaceFolder = None, pool: Pool = _POOL) -> None:
    """Run server, worker and schedules of a workspace until Ctrl-C.

    What killed processes left is closed first. Of the runs of a schedule that were due while
    nobody served, the latest is made up for, and the others are skipped.

    Where PREFECT_API_URL is set, that server is used, and only the worker runs here.

    Example: mixmatch serve
    """
    site = open_site(workspace)
    from flows.server import begin_server  # noqa: PLC0415  next to its user

    typer.echo("Starting; this takes some seconds.", err=True)
    from tasks.leases import held  # noqa: PLC0415  next to its user

    with (
        ctrl_c_on_sigterm(),
        held(site.open_workspace()),
        begin_server(site.open_workspace()) as server,
    ):
        from flows.backlog import skip_backlog  # noqa: PLC0415  while the server starts
        from flows.deployments import list_schedules  # noqa: PLC0415  likewise
        from flows.reap import reap_beside_server  # noqa: PLC0415  likewise
        from flows.worker import log_file, prefect_worker  # noqa: PLC0415  next to its user

        try:
            typer.echo(f"Prefect: {server.wait().removesuffix('/api')}")
            for row in list_schedules().schedules:
                typer.echo(_line(row))
            reap_beside_server(site)
            for missed in skip_backlog(pool):
                typer.echo(
                    f"{missed.name}: the run of {missed.due} is made up for, "
                    f"{missed.num_skipped} earlier skipped"
                )
            with prefect_worker(site.open_workspace(), pool) as worker:
                typer.echo("Ctrl-C ends all.", err=True)
                _wait_for_end(worker, log_file(site.open_workspace()))
        except KeyboardInterrupt:
            typer.echo("Ending.", err=True)
        server.settle()


def _check(
    run_file: Path | None,
    cron: str | None,
    every: float | None,
    name: str | None,
    *,
    remove: bool,
) -> None:
    """Refuse what does not fit together.

    Raises:
        ConfigError: as said.
    """
    if remove:
        if name is None:
            raise ConfigError("--remove must come with a run file or --name, got neither.")
        if cron is not None or every is not None:
            raise ConfigError("--remove must come without --cron and --every.")
        return
    if run_file is None:
        if cron is not None or every is not None:
            raise ConfigError("A schedule must have a run file, got only its times.")
        return
    if (cron is None) == (every is None):
        given = "neither" if cron is None else "both"
        raise ConfigError(f"Either --cron or --every must say when the run begins, got {given}.")
    if every is not None and not _LEAST_S <= every < float("inf"):
        raise ConfigError(f"--every must be at least {_LEAST_S:g} seconds, got {every:g}.")


def _due(cron: str | None, every: float | None, timezone: str) -> "CronSchedule | IntervalSchedule":
    from flows.deployments import (  # noqa: PLC0415  Prefect takes seconds to load
        cron_schedule,
        interval_schedule,
    )

    return cron_schedule(cron, timezone) if cron is not None else interval_schedule(every or 0.0)


def _print(found: "ScheduleRow | ScheduleRows", *, as_json: bool, removed: bool) -> None:
    from flows.deployments import ScheduleRow  # noqa: PLC0415  Prefect takes seconds to load

    rows = (found,) if isinstance(found, ScheduleRow) else found.schedules
    for row in rows:
        typer.echo(f"{'removed: ' if removed else ''}{_line(row)}", err=as_json)
    if not rows:
        typer.echo("No schedules.", err=as_json)
    if as_json:
        typer.echo(found.model_dump_json())


def _line(row: "ScheduleRow") -> str:
    when = row.when if row.timezone is None else f"{row.when} ({row.timezone})"
    return f"{row.name}: {when}, overlapping runs {row.overlap}, pool {row.pool}, {row.workspace}"


def _wait_for_end(worker: subprocess.Popen[bytes], log: Path) -> None:
    """Return never: Ctrl-C ends it, or the worker.

    Raises:
        ServiceError: the worker has ended by itself.
    """
    while worker.poll() is None:
        time.sleep(_POLL_S)
    raise ServiceError(f"Prefect's worker must stay up, and has ended; see {log}")
