"""MLflow runs that a killed process left as RUNNING: found by their owner, ended as KILLED."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from mixmatch.records import Record
from tasks.owners import Owner, age_s
from tasks.site import Site
from tasks.tracking.connection import connect, connect_if_there, is_shared
from tasks.tracking.repeatable import KEY_TAG, now_ms

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

OWNER_TAG = "mixmatch.owner"
_BEAT_TAG = "mixmatch.beat_ms"
_RUNNING = f"attributes.status = 'RUNNING' and tags.`{KEY_TAG}` LIKE '%'"


class KilledRun(Record):
    """A run that was ended in the name of its dead owner.

    Attributes:
        run_id: MLflow's identifier.
        name: of the run.
    """

    run_id: str
    name: str


def owner_tags() -> dict[str, str]:
    """Return the tags by which a run says that this process works on it."""
    return {OWNER_TAG: str(Owner.here()), _BEAT_TAG: str(now_ms())}


def beat_of(site: Site, run_id: str) -> Callable[[], None] | None:
    """Return what gives a sign of life in a run; None where no other machine could see it."""
    if not is_shared(site):
        return None

    def beat() -> None:
        connect(site).set_tag(run_id, _BEAT_TAG, str(now_ms()))

    return beat


def kill_abandoned(site: Site, *, alone: bool) -> tuple[KilledRun, ...]:
    """End as KILLED the runs of ours that are RUNNING and whose owner is dead.

    A run that names no owner, as older versions left them, is only ended where nobody else can own
    it.

    Args:
        site: where the runs are.
        alone: whether nobody else works on this workspace.
    """
    client = connect_if_there(site)
    if client is None:
        return ()
    nobody_else = alone and not is_shared(site)
    killed = []
    for run in _running(client):
        owner = Owner.parse(run.data.tags.get(OWNER_TAG))
        is_dead = nobody_else if owner is None else not owner.is_alive(_beat_age_s(run))
        if is_dead:
            client.set_terminated(run.info.run_id, "KILLED")
            killed.append(KilledRun(run_id=run.info.run_id, name=str(run.info.run_name)))
    return tuple(killed)


def _running(client: "MlflowClient") -> "list[Run]":
    """Return all of them at once: what is ended would shift the pages."""
    experiments = [x.experiment_id for x in client.search_experiments()]
    found: list[Run] = []
    token = None
    while experiments:
        page = client.search_runs(experiments, _RUNNING, page_token=token)
        found += page
        token = page.token
        if not token:
            break
    return found


def _beat_age_s(run: "Run") -> float:
    return age_s(int(run.data.tags.get(_BEAT_TAG, run.info.start_time)) / 1000)
