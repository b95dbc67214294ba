"""What goes, in the order in which it goes; nothing here writes."""

from collections.abc import Iterator
from pathlib import Path

from mixmatch.config import Retention
from mixmatch.errors import ArtifactError
from mixmatch.records import Removal, Stay
from tasks.lineage import StepKey
from tasks.lineage.kept import RECORDS
from tasks.retention.scene import UNUSED, Plan, Scene
from tasks.retention.standing import standing
from tasks.retention.stored import plan_store
from tasks.site import Site
from tasks.tracking.connection import URI_VARIABLE, database_left_aside
from tasks.tracking.holdings import Holdings
from tasks.tracking.removal import Remover
from tasks.versioning.removal import Dvc

_RUN_ID_LENGTH = 32


def make_plan(site: Site, held: Holdings, policy: Retention, now: float) -> Plan:
    """Decide about everything.

    Raises:
        LedgerError: the ledger is damaged: nobody knows what it names.
        ServiceError: a server does not answer.
    """
    scene, plan = Scene(site, held, standing(site, held, policy, now), policy, now), Plan()
    _plan_tracking(scene, plan)
    if doubt := _doubt(scene):
        plan.notes.append(f"Nothing outside MLflow is removed: {doubt}")
        return plan
    plan.removals += _folders(scene)
    if unreadable := scene.judged.unreadable:
        plan.notes.append(
            "Nothing under DVC or in the store is removed: what is needed by "
            f"{', '.join(unreadable)} is unknown, since its lineage is missing or another now."
        )
        return plan
    try:
        listed = _plan_dvc(scene, plan)
    except ArtifactError as error:
        plan.notes.append(f"Nothing under DVC or in the store is removed: {error}")
        return plan
    plan_store(scene, plan, listed)
    return plan


def _plan_tracking(scene: Scene, plan: Plan) -> None:
    """Plan for versions, the models behind them, and runs with their members' runs."""
    held, judged, remover = scene.held, scene.judged, Remover(scene.site)
    for reference, verdict in judged.versions.items():
        if verdict.stays:
            plan.stays.append(Stay(kind="version", name=reference, why=verdict.why))
        else:
            plan.removals.append(Removal(kind="version", name=reference, why=verdict.why))
    plan.removals += _models(scene, remover)
    for run_id, run in judged.runs.items():
        if run.stays:
            plan.stays.append(Stay(kind="run", name=run_id, why=run.why))
            continue
        # Members first; one whose flow's run is gone would be found as well, and judged for itself.
        members = [x.run_id for x in held.runs if x.parent == run_id]
        for one in (*members, run_id):
            size = remover.bytes_of_run(one)
            plan.removals.append(Removal(kind="run", name=one, why=run.why, bytes=size))
    if not remover.removes_rows() and any(x.kind == "run" for x in plan.removals):
        plan.notes.append(
            "MLflow's server keeps the rows of removed runs as deleted; run mlflow gc there."
        )


def _models(scene: Scene, remover: Remover) -> Iterator[Removal]:
    """Yield the logged models of versions that go, and those that have none."""
    versions = scene.held.versions
    kept, gone = (
        {x.tags.get("model_id") for x in versions if scene.judged.versions[x.reference].stays is y}
        for y in (True, False)
    )
    for model in scene.held.models:
        name = model.model_id
        # A run that was interrupted while it registered goes on with the model that it has logged.
        if name in kept or (name not in gone and model.created >= scene.cutoff):
            continue
        why = "its version goes" if name in gone else "it has no version"
        yield Removal(kind="model", name=name, why=why, bytes=remover.bytes_of_model(name))


def _doubt(scene: Scene) -> str | None:
    """Say why this MLflow may not be the one, or not the only one, that tells what is needed."""
    if own := database_left_aside(scene.site):
        return (
            f"{own} may name what is needed too, and {URI_VARIABLE} leads elsewhere; unset it, or "
            "move that file away."
        )
    here = {folder.name for folder in _run_folders(scene.site)}
    if here and not here & {x.run_id for x in scene.held.runs}:
        return (
            f"this MLflow knows no run in {scene.site.open_workspace().runs}; set {URI_VARIABLE} "
            "to the one that tracked them, or move that folder away."
        )
    return None


def _folders(scene: Scene) -> Iterator[Removal]:
    """Yield the workspace's folders of runs that go, or that MLflow has no more."""
    staying = {x.run_id for x in scene.staying}
    for folder in _run_folders(scene.site):
        if folder.name not in staying and folder.stat().st_mtime < scene.cutoff:
            size = sum(x.stat().st_size for x in folder.rglob("*") if x.is_file())
            yield Removal(kind="folder", name=folder.name, why="its run goes", bytes=size)


def _run_folders(site: Site) -> list[Path]:
    found = site.open_workspace().runs.glob("*")
    return sorted(x for x in found if len(x.name) == _RUN_ID_LENGTH and x.is_dir())


def _plan_dvc(scene: Scene, plan: Plan) -> set[StepKey]:
    """Plan for DVC; return the steps that the families which stay name.

    Raises:
        ArtifactError: DVC has lost the listing of one that stays.
    """
    dvc = Dvc(scene.site)
    if not dvc.is_there:
        return set()
    kept = {md5 for lineage in scene.judged.lineages.values() for md5 in lineage.dvc.values()}
    kept |= {md5 for run in scene.staying for md5 in run.dvc}
    listed: set[StepKey] = set()
    for md5 in kept:
        inside = (Path(x) for x in dvc.listing(md5) if x.startswith(f"{RECORDS}/"))
        listed |= {(x.parent.name, x.stem) for x in inside}
    remote = scene.policy.sole_user or dvc.owns_remote()
    if not remote:
        plan.notes.append(
            "DVC's remote is not the workspace's own and is left alone; sole_user: true says that "
            "no other workspace uses it."
        )
    for thing in dvc.unneeded(kept, scene.cutoff, remote=remote):
        plan.dvc.append(thing)
        name = f"{thing.place}/{thing.name}"
        plan.removals.append(Removal(kind="dvc", name=name, why=UNUSED, bytes=thing.bytes))
    return listed
