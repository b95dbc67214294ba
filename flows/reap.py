"""Close what killed processes left behind in a workspace: at every start of a run, and on demand.

Who is dead is known by leases: nothing that a living owner holds is touched, on whatever machine.
"""

import os
from collections.abc import Sequence

from filelock import FileLock

from flows.server import end_orphans, local_server, server_url
from flows.server.environment import URL_VARIABLE
from mixmatch.records import Record
from tasks.leases import FoundLease, found_leases
from tasks.leftovers import end_children, remove_leftovers
from tasks.owners import Owner
from tasks.shelf import remove_finished
from tasks.site import Site
from tasks.tracking.abandoned import KilledRun, kill_abandoned
from tasks.tracking.passing import patiently


class Reaped(Record):
    """What was closed.

    Attributes:
        flow_runs: names of Prefect's flow runs that are Crashed now.
        num_task_runs: of these flow runs, likewise.
        tracked_runs: MLflow's runs that are KILLED now.
        server_ports: of Prefect servers that nobody held, and that were ended.
        processes: other servers whose owners are dead, and that were ended.
        leftovers: files and folders that were removed, relative to the workspace, or named as in a
            store that it shares.
        num_leases: of dead owners, removed.
    """

    flow_runs: tuple[str, ...] = ()
    num_task_runs: int = 0
    tracked_runs: tuple[KilledRun, ...] = ()
    server_ports: tuple[int, ...] = ()
    processes: tuple[Owner, ...] = ()
    leftovers: tuple[str, ...] = ()
    num_leases: int = 0


def reap(site: Site) -> Reaped:
    """Close everything; Prefect's server is started for it if it ever kept a run here.

    Raises:
        ServiceError: a server does not answer.
    """
    workspace = site.open_workspace()
    reaped = Reaped()
    if (workspace.prefect / "prefect.db").is_file():
        with local_server(workspace):
            reaped = reap_beside_server(site)
    else:
        reaped = _reap(site, reaped)
    return reaped.model_copy(
        update={"server_ports": (*reaped.server_ports, *end_orphans(workspace))}
    )


def reap_beside_server(site: Site) -> Reaped:
    """Close what can be closed while this process uses Prefect's server, which must answer."""
    from flows.abandonment import crash_abandoned  # noqa: PLC0415  Prefect takes seconds to load

    workspace = site.open_workspace()
    # On a server for many, those who work elsewhere hold no lease here.
    alone = _is_alone(site) and os.environ.get(URL_VARIABLE) == server_url(workspace)
    crashed = crash_abandoned(site.workspace, alone=alone)
    found = Reaped(flow_runs=crashed.flow_runs, num_task_runs=crashed.num_task_runs)
    return _reap(site, found.model_copy(update={"server_ports": end_orphans(workspace)}))


def _reap(site: Site, reaped: Reaped) -> Reaped:
    """Close all but Prefect's runs, one reaper at a time."""
    workspace = site.open_workspace()
    workspace.locks.mkdir(parents=True, exist_ok=True)
    with FileLock(workspace.locks / "reap.lock"):
        leases = found_leases(workspace)
        dead = [lease for lease in leases if not lease.is_alive]
        update = {
            "tracked_runs": patiently(lambda: kill_abandoned(site, alone=_nobody(leases))),
            "processes": end_children(dead),
            "leftovers": (
                *remove_leftovers(workspace, [x for x in leases if x.is_alive]),
                *remove_finished(site),
            ),
            "num_leases": len(dead),
        }
        for lease in dead:  # last, so that a reaper that is killed leaves no trace unread
            lease.file.unlink(missing_ok=True)
    return reaped.model_copy(update=update)


def _is_alone(site: Site) -> bool:
    return _nobody(found_leases(site.open_workspace()))


def _nobody(leases: Sequence[FoundLease]) -> bool:
    """Say whether no process but this one works on the workspace."""
    here = Owner.here()
    return not any(lease.is_alive and lease.owner != here for lease in leases)
