"""Bring back everything that a registered version was made from, so that its run is a cache hit."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import yaml

from mixmatch.errors import ArtifactError, LineageError, WorkspaceError
from mixmatch.records import Lineage, Record
from tasks.lineage import LINEAGE_FILE, read_statement
from tasks.lineage.kept import RECORDS
from tasks.pins import write_pins
from tasks.site import Site
from tasks.store import FolderStore
from tasks.tracking.evidence import version_evidence, version_files
from tasks.versioning import restore_files
from tasks.versioning.pointers import Pointer, write_pointer
from tasks.workspace import DEFAULT_NAME, Workspace

RUN_FILE = "run.yaml"


class Restored(Record):
    """What was brought back.

    Attributes:
        reference: ``NAME/version``.
        folder: where it lies.
        run_file: the settings, as they were.
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


def restore_version(site: Site, reference: str, target: Path) -> Restored:
    """Fetch data set and family from the DVC remote into a workspace of their own.

    Args:
        site: where the registry is, and whose DVC repository names the remote.
        reference: ``NAME`` (its newest version), ``NAME@alias`` or ``NAME/version``.
        target: folder that is absent or empty; complete at the end, or not there.

    Raises:
        RegistryError: there is no such version.
        LineageError: it has no lineage, or one that names nothing under DVC.
        ArtifactError: the remote lacks a file, or holds another.
        WorkspaceError: ``target`` holds something, or cannot be written.
    """
    target = target.resolve()
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise WorkspaceError(f"--to must name a folder that is absent or empty, got {target}.")
    version = version_evidence(site, reference)
    lineage = _lineage(site, version.reference)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".restore-") as scratch:
        folder = Path(scratch) / target.name
        folder.mkdir()
        workspace = Workspace.open(folder / DEFAULT_NAME)
        counts = _fill(site, lineage, workspace, Path(scratch))
        (folder / RUN_FILE).write_text(_run_file(lineage), encoding="utf-8")
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
    with version_files(site, reference) as folder:
        file = folder / LINEAGE_FILE if folder is not None else None
        if file is None or not file.is_file():
            raise LineageError(f"{reference} must carry a lineage to be restored, found none.")
        lineage = read_statement(file.read_bytes(), f"of {reference}")
    if not {"data", "family"} <= lineage.dvc.keys():
        raise LineageError(
            f"The lineage of {reference} must name data and family under DVC, found "
            f"{sorted(lineage.dvc) or 'neither'}."
        )
    return lineage


def _fill(site: Site, lineage: Lineage, workspace: Workspace, scratch: Path) -> tuple[int, int]:
    """Put every record and file into the workspace's store; return how many they are."""
    store = FolderStore(workspace.store)
    num_records = num_files = 0
    for name, md5 in sorted(lineage.dvc.items()):
        pulled = scratch / name
        restore_files(site, write_pointer(scratch, Pointer(name, md5)), pulled)
        for file in sorted(x for x in pulled.rglob("*") if x.is_file()):
            inside = file.relative_to(pulled).as_posix()
            if inside.startswith(f"{RECORDS}/"):
                place = workspace.store / "records" / file.parent.name / file.name
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(file, place)
                num_records += 1
            elif inside != "family.json":
                store.put(file)
                num_files += 1
    _check(lineage, store)
    return num_records, num_files


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


def _run_file(lineage: Lineage) -> str:
    """Return the recorded settings as a run file; the store is the restored workspace's own."""
    settings = json.loads(json.dumps(lineage.settings)) | {"store": None}
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
