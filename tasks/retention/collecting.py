"""Removes what a retention policy lets go, so that whatever interrupts it leaves nothing half.

The order is names first, then what they name: registered versions, the logged models behind them,
runs, folders of runs, pointers and listings of DVC, DVC's files, records of the store, its files.
Were files removed first, a kill in between would leave a version that can be chosen and promoted
but not loaded. This way it leaves files that nothing names: they cost space, mislead nobody, and
the next call finds them, since what goes is whatever nothing that stays needs, not a list that
some call has begun. The one exception is what MLflow holds of a single run or model: its row is the
only way to its files, so these go first, and the row, which is found again, after them.

Nobody may begin to work on the workspace meanwhile, and nobody may be at work: a run that has just
found a step done must not lose its files. On other machines that share store and registry but not
the workspace, the grace period stands for that, and aliases and ledger are read again just before
each version goes.
"""

import shutil
import time
from collections.abc import Callable, Mapping
from itertools import groupby

from mixmatch.config import Retention
from mixmatch.errors import WorkError
from mixmatch.records import Collection
from tasks.leases import collecting, found_leases
from tasks.retention.planning import make_plan
from tasks.retention.scene import Plan
from tasks.retention.standing import refuse_taken
from tasks.site import Site
from tasks.tracking.holdings import holdings
from tasks.tracking.removal import Remover
from tasks.versioning.removal import Dvc
from tasks.workspace import Workspace


def collect(site: Site, policy: Retention, *, dry_run: bool = False) -> Collection:
    """Remove what nobody needs; what is needed is found from all that stays.

    Args:
        site: workspace and store.
        policy: what stays.
        dry_run: remove nothing, and return what would go.

    Raises:
        WorkError: somebody works on the workspace.
        LedgerError: the ledger is damaged: nobody knows what it names.
        ServiceError: a server does not answer.
    """
    if dry_run:
        return _summary(_planned(site, policy), dry_run=True)
    with collecting(site.open_workspace()):
        _refuse_company(site.open_workspace())
        plan = _planned(site, policy)
        _remove(site, plan)
    return _summary(plan, dry_run=False)


def _planned(site: Site, policy: Retention) -> Plan:
    held = holdings(site)
    if held is None:
        return Plan(notes=["Nothing is tracked here, so nothing says what is needed."])
    return make_plan(site, held, policy, time.time())


def _refuse_company(workspace: Workspace) -> None:
    if living := [x.owner for x in found_leases(workspace) if x.is_alive]:
        raise WorkError(
            f"Nobody must work on {workspace.root} while things are removed, but process "
            f"{living[0].pid} on {living[0].host} does; run again when it has ended."
        )


def _remove(site: Site, plan: Plan) -> None:
    """Remove everything in its order."""
    actions = _actions(site)
    for kind, group in groupby(plan.removals, key=lambda x: x.kind):
        if kind == "dvc":
            Dvc(site).remove(plan.dvc)
            continue
        for one in group:
            actions[kind](one.name)


def _actions(site: Site) -> Mapping[str, Callable[[str], None]]:
    """Return what removes one thing by its name, by kind."""
    workspace, store, remover = site.open_workspace(), site.open_store(), Remover(site)

    def remove_version(reference: str) -> None:
        name, _, number = reference.rpartition("/")
        refuse_taken(site, name, int(number))
        remover.version(name, int(number))

    def remove_folder(name: str) -> None:
        shutil.rmtree(workspace.runs / name, ignore_errors=True)

    def remove_training(name: str) -> None:
        (workspace.training / name).unlink(missing_ok=True)

    return {
        "version": remove_version,
        "model": remover.model,
        "run": remover.run,
        "folder": remove_folder,
        "record": store.remove,
        "object": store.remove,
        "training": remove_training,
    }


def _summary(plan: Plan, *, dry_run: bool) -> Collection:
    return Collection(
        dry_run=dry_run,
        removals=tuple(plan.removals),
        stays=tuple(plan.stays),
        notes=tuple(plan.notes),
        bytes_freed=sum(x.bytes for x in plan.removals),
    )
