"""Two real runs of one model, of which the older goes: MLflow, DVC and the store stay whole."""

import os
import shutil
import sqlite3
import time
from contextlib import closing

import pytest

from mixmatch.config import Policy, Retention
from mixmatch.errors import WorkError
from tasks.audit import audit_all
from tasks.leases import held
from tasks.promotion import Judges, promote, rollback
from tasks.retention import collect, collecting
from tasks.site import Site
from tasks.tracking import Aliases
from tasks.tracking.connection import connect
from tasks.tracking.holdings import holdings
from tasks.versioning.removal import Dvc
from tasks.workspace import Workspace
from tests.flows.command import run_command

pytestmark = pytest.mark.service

RUN_FILE = """
name: tiny
data: {name: digits, image_size: 16}
model: {architecture: test_resnet, train: {epochs: 1}}
strategies: [conservative, aggressive]
fine_tune: {max_epochs: 0}
latency: none
engine: {workers: 1, precision: float32}
"""
NOW = Retention(keep_newest=0, keep_fronts=0, keep_runs=0, keep_days=0, grace_hours=0)
LATER = "fine_tune.batch_norm_images=64"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Run twice into one workspace; keep a copy, since MLflow's addresses allow no other place."""
    folder = tmp_path_factory.mktemp("collect")
    run_file, root = folder / "run.yaml", folder / "workspace"
    run_file.write_text(RUN_FILE)
    for changes in ((), (LATER,)):
        assert run_command(root, run_file, *changes).exit_code == 0
    shutil.copytree(root, folder / "copy", symlinks=True)
    return run_file


@pytest.fixture
def site(made, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    root, copy = made.with_name("workspace"), made.with_name("copy")
    for part in root.iterdir():
        if part.is_dir():
            shutil.rmtree(part)
    other = shutil.ignore_patterns("mlflow.db*")
    shutil.copytree(copy, root, symlinks=True, dirs_exist_ok=True, ignore=other)
    # This process holds the database open, and its log of writes belongs to it: only SQLite may
    # put the old content back.
    with (
        closing(sqlite3.connect(copy / "mlflow.db")) as old,
        closing(sqlite3.connect(root / "mlflow.db")) as now,
    ):
        old.backup(now)
    return Site.at(Workspace(root))


def content(root):
    # Beside SQLite's database lies what its readers share, which every reader touches.
    files = [x for x in root.rglob("*") if x.is_file() and not x.name.startswith("mlflow.db-")]
    return {x.relative_to(root): x.read_bytes() for x in files}


def names(root):
    """List what a workspace holds, but for what every command leaves."""
    passing = ("locks", "leases", "prefect", "mlflow.db", "dvc/.dvc/site", "dvc/.dvc/tmp")
    found = {x.relative_to(root).as_posix() for x in root.rglob("*") if x.is_file()}
    return {x for x in found if not x.startswith(passing)}


def versions(site):
    return sorted(x.version for x in holdings(site).versions)


def flows(site):
    return [x for x in holdings(site).runs if x.parent is None]


def older(site):
    """Return the versions that no alias names: those of the first run alone."""
    return [x for x in holdings(site).versions if not x.aliases]


def is_clean(site, *, but=()):
    audit = audit_all(site)
    unchecked = {"lineage/signature", *but}
    return audit.ok and all({x.name for x in one.unchecked} <= unchecked for one in audit.versions)


def test_a_dry_run_names_what_goes_and_changes_no_byte(site):
    root = site.open_workspace().root
    before = content(root)
    found = collect(site, NOW, dry_run=True)
    assert content(root) == before
    kinds = {x.kind for x in found.removals}
    assert kinds == {"version", "model", "run", "folder", "dvc", "record", "object"}
    assert found.bytes_freed == sum(x.bytes for x in found.removals) > 0


def test_the_older_run_goes_and_what_stays_is_whole(site, made):
    gone, kept = older(site), versions(site)
    (first, second) = sorted(flows(site), key=lambda x: x.started)
    root = site.open_workspace().root
    on_disk = sum(x.stat().st_size for x in root.rglob("*") if x.is_file())
    found = collect(site, NOW)
    assert versions(site) == [x for x in kept if x not in {y.version for y in gone}]
    assert [x.run_id for x in flows(site)] == [second.run_id]
    assert {x.parent for x in holdings(site).runs} == {None, second.run_id}
    assert not (root / "runs" / first.run_id).exists()
    assert not [x for x in root.rglob("*") if first.run_id in str(x) and not x.is_dir()]
    freed = on_disk - sum(x.stat().st_size for x in root.rglob("*") if x.is_file())
    assert freed == pytest.approx(found.bytes_freed, rel=0.05)
    assert is_clean(site)
    again = run_command(root, made, LATER, flags=("--through-flow",))
    assert (again.exit_code, again.summary["cache"]["misses"]) == (0, 0)
    assert collect(site, NOW, dry_run=True).removals == ()


def test_what_went_can_be_made_again(site, made):
    collect(site, NOW)
    again = run_command(site.open_workspace().root, made)
    assert again.exit_code == 0
    assert again.summary["cache"]["misses"] > 0
    assert is_clean(site)


def test_an_alias_protects_a_version_and_all_that_it_needs(site):
    (one, *_) = older(site)
    Aliases(site, "tiny").point("pinned", one.version)
    collect(site, NOW)
    assert one.version in versions(site)
    assert len(flows(site)) == 2
    assert is_clean(site, but=["registry/alias pinned"])  # set by hand: no ledger knows of it


def test_the_ledger_protects_holders_that_were(site):
    (one, *_) = older(site)
    policy = Policy(on_front=False, passes_audit=False, largest_bytes=10**9)
    aliases, judges = Aliases(site, "tiny"), Judges()
    # The smallest holds first, an older one by hand, and the ledger takes note of both.
    promote(site, "tiny", policy, by="ada", judges=judges)
    promote(
        site, "tiny", policy.model_copy(update={"prefer": "most-accurate"}), by="ada", judges=judges
    )
    aliases.point("champion", one.version)
    promote(site, "tiny", policy, by="ada", judges=judges)
    collect(site, NOW)
    assert one.version in versions(site)
    assert is_clean(site)
    rollback(site, "tiny", "champion", by="ada", why="a test")


@pytest.mark.parametrize("kind", ["version", "model", "run", "folder", "dvc", "record", "object"])
def test_whatever_it_is_killed_at_the_next_call_completes_it(site, monkeypatch, kind):
    removed = {x.name for x in collect(site, NOW, dry_run=True).removals}
    root = site.open_workspace().root
    after = names(root)
    real, real_dvc = collecting._actions, Dvc._remove

    def dies(name, work):
        work(name)
        raise KeyboardInterrupt

    def actions(site):
        return {k: (lambda n, w=w: dies(n, w)) if k == kind else w for k, w in real(site).items()}

    monkeypatch.setattr(collecting, "_actions", actions)
    if kind == "dvc":
        monkeypatch.setattr(Dvc, "_remove", lambda self, x: dies(x, lambda y: real_dvc(self, y)))
    with pytest.raises(KeyboardInterrupt):
        collect(site, NOW)
    assert is_clean(site)
    monkeypatch.undo()
    rest = collect(site, NOW)
    assert {x.name for x in rest.removals} < removed
    assert is_clean(site)
    assert names(root) < after
    assert collect(site, NOW, dry_run=True).removals == ()
    assert len(flows(site)) == 1


def test_nothing_goes_while_somebody_works_here(site):
    root = site.open_workspace().root
    before = names(root)
    with held(site.open_workspace()), pytest.raises(WorkError, match="Nobody must work on"):
        collect(site, NOW)
    assert names(root) == before


def test_what_was_just_written_stays(site):
    store = site.open_store()
    with store.scratch() as folder:
        (folder / "file").write_bytes(b"of a run that has only begun")
        new = store.path(store.put(folder / "file"))
    collect(site, NOW.model_copy(update={"grace_hours": 1.0}))
    assert new.is_file()
    an_hour_ago = time.time() - 3700
    os.utime(new, (an_hour_ago, an_hour_ago))
    collect(site, NOW.model_copy(update={"grace_hours": 1.0}))
    assert not new.exists()


def test_a_lineage_that_was_changed_protects_everything_that_it_may_have_named(site):
    client = connect(site)
    (kept, *_) = [x for x in holdings(site).versions if x.aliases]
    client.set_model_version_tag("tiny", str(kept.version), "lineage.digest", "0" * 64)
    found = collect(site, NOW)
    assert {x.kind for x in found.removals} <= {"version", "model", "run", "folder"}
    assert f"by tiny/{kept.version} is unknown" in found.notes[0]


def test_another_store_is_left_alone_unless_nobody_else_uses_it(site, tmp_path):
    elsewhere = Site.at(site.open_workspace(), str(tmp_path / "store"))
    store = elsewhere.open_store()
    with store.scratch() as folder:
        (folder / "file").write_bytes(b"perhaps of another workspace")
        file = store.path(store.put(folder / "file"))
    assert "is not the workspace's own" in collect(elsewhere, NOW).notes[0]
    assert file.is_file()
    collect(elsewhere, NOW.model_copy(update={"sole_user": True}))
    assert not file.exists()
