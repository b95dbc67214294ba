"""Schedules of a workspace, as deployments of the compression flow on Prefect's server."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeAlias

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.client.schemas.objects import (
    ConcurrencyLimitStrategy,
    ConcurrencyOptions,
    WorkPool,
)
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

from flows.scheduled import ENTRYPOINT, FLOW_NAME
from mixmatch.config import RunConfig
from mixmatch.errors import ConfigError
from mixmatch.records import Record
from tasks.site import Site

PROCESS = "process"

Overlap: TypeAlias = Literal["queue", "skip"]
_STRATEGIES: dict[Overlap, ConcurrencyLimitStrategy] = {
    "queue": ConcurrencyLimitStrategy.ENQUEUE,
    "skip": ConcurrencyLimitStrategy.CANCEL_NEW,
}
_OVERLAPS = {strategy.value: name for name, strategy in _STRATEGIES.items()}
_PAGE = 200


class ScheduleRow(Record):
    """One schedule.

    Attributes:
        name: of the deployment.
        when: cron expression, or ``every N s``.
        timezone: of the cron expression; None for intervals.
        overlap: what a run does while the one before it still runs.
        pool: work pool whose worker runs it.
        workspace: folder in which it runs.
    """

    name: str
    when: str
    timezone: str | None
    overlap: Overlap
    pool: str
    workspace: str


class ScheduleRows(Record):
    """What ``mixmatch schedule --json`` prints.

    Attributes:
        schedules: by name.
    """

    schedules: tuple[ScheduleRow, ...]


def cron_schedule(cron: str, timezone: str) -> CronSchedule:
    """Return when a cron expression fires.

    Raises:
        ConfigError: it is none, or there is no such time zone.
    """
    try:
        return CronSchedule(cron=cron, timezone=timezone)
    except ValueError as error:
        raise ConfigError(
            "--cron must be five fields such as '0 2 * * *' and --timezone a name such as "
            f"Europe/Berlin, got {cron!r} and {timezone!r}."
        ) from error


def interval_schedule(seconds: float) -> IntervalSchedule:
    """Return when something fires that is due every so many seconds."""
    return IntervalSchedule(interval=timedelta(seconds=seconds))


def save_schedule(
    config: RunConfig,
    site: Site,
    schedule: CronSchedule | IntervalSchedule,
    *,
    name: str,
    pool: str,
    folder: Path,
) -> ScheduleRow:
    """Create or replace the schedule ``name``; Prefect's server must answer.

    Args:
        config: the run file with absolute places; it becomes a parameter, secrets are not in it.
        site: workspace of the runs.
        schedule: when they begin.
        name: of the deployment.
        pool: work pool; one for processes is created if there is none of that name.
        folder: working directory of the runs, where a user's own network is found.
    """
    with get_client(sync_client=True) as client:
        found = _ensure_pool(client, pool)
        deployment = client.create_deployment(
            client.create_flow_from_name(FLOW_NAME),
            name,
            entrypoint=ENTRYPOINT,
            parameters={
                "config": config.model_dump(mode="json", by_alias=True),
                "workspace": site.workspace,
            },
            schedules=[DeploymentScheduleCreate(schedule=schedule, active=True)],
            work_pool_name=pool,
            job_variables={"working_dir": str(folder)} if found.type == PROCESS else None,
            concurrency_limit=1,
            concurrency_options=ConcurrencyOptions(
                collision_strategy=_STRATEGIES[config.engine.overlap]
            ),
            enforce_parameter_schema=False,
            paused=False,
        )
        return _row(client.read_deployment(deployment))


def list_schedules() -> ScheduleRows:
    """Return all schedules of compression flows on the server."""
    with get_client(sync_client=True) as client:
        return ScheduleRows(schedules=tuple(_row(x) for x in deployments_of(client)))


def remove_schedule(name: str) -> ScheduleRow:
    """Remove the schedule ``name`` with all its runs that have not begun, and return it.

    Raises:
        ConfigError: there is none of that name.
    """
    with get_client(sync_client=True) as client:
        found = deployments_of(client)
        for deployment in found:
            if deployment.name == name:
                client.delete_deployment(deployment.id)
                return _row(deployment)
    known = ", ".join(x.name for x in found) or "none"
    raise ConfigError(f"--remove must name a schedule that there is ({known}), got {name!r}.")


def _ensure_pool(client: SyncPrefectClient, name: str) -> WorkPool:
    try:
        return client.read_work_pool(name)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        pool = WorkPoolCreate(name=name, type=PROCESS, base_job_template=template)
        return client.create_work_pool(pool)


def deployments_of(client: SyncPrefectClient) -> list[DeploymentResponse]:
    """Return all deployments of compression flows, by name."""
    ours = FlowFilter(name=FlowFilterName(any_=[FLOW_NAME]))
    found: list[DeploymentResponse] = []
    while page := client.read_deployments(flow_filter=ours, limit=_PAGE, offset=len(found)):
        found += page
    return sorted(found, key=lambda deployment: deployment.name)


def _row(deployment: DeploymentResponse) -> ScheduleRow:
    schedule: Any = deployment.schedules[0].schedule if deployment.schedules else None
    options = deployment.concurrency_options
    strategy = options.collision_strategy if options else ConcurrencyLimitStrategy.ENQUEUE
    return ScheduleRow(
        name=deployment.name,
        when=_when(schedule),
        timezone=getattr(schedule, "timezone", None)
        if isinstance(schedule, CronSchedule)
        else None,
        overlap=_OVERLAPS[str(getattr(strategy, "value", strategy))],
        pool=deployment.work_pool_name or "",
        workspace=str((deployment.parameters or {}).get("workspace", "")),
    )


def _when(schedule: object) -> str:
    if isinstance(schedule, CronSchedule):
        return schedule.cron
    if isinstance(schedule, IntervalSchedule):
        return f"every {schedule.interval.total_seconds():g} s"
    return "never"
