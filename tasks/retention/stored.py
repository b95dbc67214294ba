"""What of the store goes: records, then files, then the states of finished trainings."""

from collections.abc import Iterator
from pathlib import Path

from mixmatch.records import Removal
from tasks.jobs import MemberJob
from tasks.lineage import StepKey
from tasks.lineage.kept import artifacts_in
from tasks.retention.needs import OBJECTS, Needs, Shelf, mark, read_shelf
from tasks.retention.scene import UNUSED, Plan, Scene
from tasks.up_to_date import RunJob


def plan_store(scene: Scene, plan: Plan, listed: set[StepKey]) -> None:
    """Plan for the store.

    Args:
        scene: what is known.
        plan: is added to.
        listed: steps that stay because DVC's version of a family that stays names them.
    """
    site = scene.site
    if Path(site.store) != site.open_workspace().store and not scene.policy.sole_user:
        plan.notes.append(
            f"The store {site.store} is not the workspace's own and is left alone; "
            "sole_user: true says that no other workspace uses it."
        )
        return
    store = site.open_store()
    shelf = read_shelf(store)
    needs = _needs(scene, shelf, listed)
    for step, entry in shelf.entries.items():
        if step not in needs.records:
            size = entry.size_bytes
            plan.removals.append(Removal(kind="record", name=entry.name, why=UNUSED, bytes=size))
    for entry in store.entries(OBJECTS):
        if entry.name.rsplit("/", 1)[1] not in needs.digests and entry.modified < scene.cutoff:
            size = entry.size_bytes
            plan.removals.append(Removal(kind="object", name=entry.name, why=UNUSED, bytes=size))
    plan.removals += _trainings(scene, shelf)


def _needs(scene: Scene, shelf: Shelf, listed: set[StepKey]) -> Needs:
    """Mark from versions and runs that stay, and from records that are too young to be judged."""
    judged, roots, digests = scene.judged, set(listed), set[str]()
    for lineage in judged.lineages.values():
        for trace in lineage.steps:
            roots.add((trace.step, trace.key))
            found = (*artifacts_in(trace.record), *artifacts_in(trace.inputs))
            digests |= {x.digest for x in found}
    for version in scene.held.versions:
        if judged.versions[version.reference].stays and "key" in version.tags:
            roots.add((MemberJob.step, version.tags["key"]))
            digests |= {x for name, x in version.tags.items() if name.endswith("digest")}
    roots |= {(MemberJob.step, x.key) for x in scene.staying if x.parent is not None}
    ids = {x.run_id for x in scene.staying}
    for step, envelope in shelf.envelopes.items():
        if step[0] == RunJob.step and envelope.record.get("run_id") in ids:
            roots.add(step)
    roots |= {step for step, entry in shelf.entries.items() if entry.modified >= scene.cutoff}
    return mark(shelf, roots, digests)


def _trainings(scene: Scene, shelf: Shelf) -> Iterator[Removal]:
    """Yield the states of trainings whose jobs are done."""
    done = {key for _, key in shelf.envelopes}
    for file in sorted(scene.site.open_workspace().training.glob("*.safetensors")):
        facts = file.stat()
        if file.stem in done and facts.st_mtime < scene.cutoff:
            size = facts.st_size
            yield Removal(kind="training", name=file.name, why="its job is done", bytes=size)
