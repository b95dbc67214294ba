"""Bring back everything that a registered version was made from, so that its run is a cache hit.

What comes back is run next, so the lineage is checked first, and no code is named by it or by a
record that the caller has not named.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path

from mixmatch.config import RunConfig
from mixmatch.errors import ArtifactError, ConfigError, LineageError, WorkspaceError
from mixmatch.records import Lineage, Record
from tasks.audit import checked_lineage
from tasks.factory import factories_named, is_factory
from tasks.lineage.kept import RECORDS
from tasks.pins import write_pins
from tasks.restored_settings import settings_here
from tasks.run_file import effective_yaml
from tasks.site import Site
from tasks.store import FolderStore
from tasks.tracking.evidence import version_evidence
from tasks.versioning import restore_files
from tasks.versioning.pointers import Pointer, write_pointer
from tasks.workspace import DEFAULT_NAME, Workspace

RUN_FILE = "run.yaml"


class Restored(Record):
    """What was brought back.

    Attributes:
        reference: ``NAME/version``.
        folder: where it lies.
        run_file: the settings, as they were; store, webhooks and machines are those of here.
        workspace: with the store that holds every step.
        num_records: steps whose records are there.
        num_files: files that they name.
    """

    reference: str
    folder: str
    run_file: str
    workspace: str
    num_records: int
    num_files: int


def restore_version(
    site: Site, reference: str, target: Path, *, factory: str | None = None
) -> Restored:
    """Fetch data set and family from the DVC remote into a workspace of their own.

    Args:
        site: where the registry is, and whose DVC repository names the remote.
        reference: ``NAME`` (its newest version), ``NAME@alias`` or ``NAME/version``.
        target: folder that is absent or empty; complete at the end, or not there.
        factory: ``package.module:factory`` that builds a user's own network, which a run of the
            restored run file imports; None for a known one. Nothing is imported here.

    Raises:
        RegistryError: there is no such version.
        LineageError: it has no lineage, one that the registry or its signature does not bear out,
            or one that names nothing under DVC.
        ConfigError: ``factory`` is not its own, or its settings or names are wrong.
        ArtifactError: the remote lacks a file, or holds another, or a record that names code.
        WorkspaceError: ``target`` holds something, or cannot be written.
    """
    target = target.resolve()
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise WorkspaceError(f"--to must name a folder that is absent or empty, got {target}.")
    version = version_evidence(site, reference)
    lineage = _lineage(site, version.reference)
    config = settings_here(lineage.settings, f"the lineage of {version.reference}")
    _check_factory(config, version.reference, factory)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".restore-") as scratch:
        folder, pulled = Path(scratch) / "folder", Path(scratch) / "pulled"
        folder.mkdir()
        pulled.mkdir()
        workspace = Workspace.open(folder / DEFAULT_NAME)
        counts = _fill(site, lineage, workspace, pulled, factory)
        (folder / RUN_FILE).write_text(effective_yaml(config), encoding="utf-8")
        write_pins(workspace, lineage)
        if target.exists():
            target.rmdir()
        os.replace(folder, target)
    return Restored(
        reference=version.reference,
        folder=str(target),
        run_file=str(target / RUN_FILE),
        workspace=str(target / DEFAULT_NAME),
        num_records=counts[0],
        num_files=counts[1],
    )


def _lineage(site: Site, reference: str) -> Lineage:
    lineage = checked_lineage(site, reference)
    if not {"data", "family"} <= lineage.dvc.keys():
        raise LineageError(
            f"The lineage of {reference} must name data and family under DVC, found "
            f"{sorted(lineage.dvc) or 'neither'}."
        )
    return lineage


def _check_factory(config: RunConfig, reference: str, given: str | None) -> None:
    """Refuse code that a file names and the caller does not."""
    own = config.model.architecture
    needed = own if is_factory(own) else None
    if given != needed:
        allowed = f"be {needed}, the user's own network that it is" if needed else "be left out"
        raise ConfigError(f"--factory must {allowed}, to restore {reference}; got {given!r}.")


def _fill(
    site: Site, lineage: Lineage, workspace: Workspace, scratch: Path, factory: str | None
) -> tuple[int, int]:
    """Put every record and file into the workspace's store; return how many they are."""
    store = FolderStore(workspace.store)
    num_records = num_files = 0
    for name, md5 in sorted(lineage.dvc.items()):
        pulled = scratch / name
        restore_files(site, write_pointer(scratch, Pointer(name, md5)), pulled)
        for file in sorted(x for x in pulled.rglob("*") if x.is_file()):
            inside = file.relative_to(pulled).as_posix()
            if inside.startswith(f"{RECORDS}/"):
                _check_record(file, factory)
                place = workspace.store / "records" / file.parent.name / file.name
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(file, place)
                num_records += 1
            elif inside != "family.json":
                store.put(file)
                num_files += 1
    _check(lineage, store)
    return num_records, num_files


def _check_record(file: Path, factory: str | None) -> None:
    """Refuse a record by which a run would import other code than the caller has named."""
    try:
        record = json.loads(file.read_bytes())
    except ValueError:
        return  # for the store it is no record either
    foreign = sorted(set(factories_named(record)) - {factory})
    if foreign:
        raise ArtifactError(
            f"The DVC remote must hold only records that name known architectures or "
            f"{factory or 'no factory'}, got {foreign[0]!r} in {file.parent.name}/{file.name}."
        )


def _check(lineage: Lineage, store: FolderStore) -> None:
    """Verify that every step of the lineage is there as it was recorded."""
    for trace in lineage.steps:
        found = store.envelope(trace.step, trace.key)
        if found is None or (found.inputs, found.record) != (trace.inputs, trace.record):
            what = "another record" if found else "none"
            raise ArtifactError(
                f"The DVC remote must hold the record of the step {trace.step} "
                f"as the lineage has it ({trace.key}), found {what}."
            )
