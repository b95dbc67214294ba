"""Retention where not all lies in one folder: the store in a bucket, MLflow behind a server."""

import pytest

from mixmatch.records import LedgerEntry
from tasks.ledger import Ledger, append
from tasks.retention import collect
from tasks.tracking.holdings import holdings
from tests.mlflow_server import serving
from tests.tasks.promotion.shop import NAME
from tests.tasks.retention.two_runs import NOW, state, two_runs

pytestmark = pytest.mark.service

ALONE = NOW.model_copy(update={"sole_user": True})


def files_of(shop, version):
    """Return the names in the store of a version's packed file and data set."""
    tags = shop.aliases.tags_of(version)
    digests = (tags["digest"], tags["data.digest"])
    return {f"objects/{digest[:2]}/{digest}" for digest in digests}


def entry_on(version):
    """Return an entry by which a version once held an alias."""
    return LedgerEntry(
        number=0,
        before=None,
        action="promotion",
        name=NAME,
        alias="champion",
        version=version,
        digest="c" * 64,
        held_before=None,
        found_before=None,
        at="2026-11-27T08:00:00.000+00:00",
        who="ada@host",
        why="a test",
    )


@pytest.fixture
def in_bucket(s3_place, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return two_runs(tmp_path / "workspace", s3_place)


def test_of_a_bucket_goes_only_what_nobody_needs_and_if_nobody_else_uses_it(in_bucket):
    everything, needed = state(in_bucket), files_of(in_bucket, 2)
    before = everything[3]
    append(in_bucket.store, Ledger(), entry_on(1))
    collect(in_bucket.site, ALONE)
    in_bucket.store.remove("ledger/000000001.json")
    assert state(in_bucket) == everything  # a holder that was is protected, and all that it needs

    found = collect(in_bucket.site, NOW)
    assert f"{in_bucket.site.store} is not the workspace's own" in " ".join(found.notes)
    versions, _, models, names = state(in_bucket)
    assert (versions, len(models), names) == ({2}, 1, before)

    told = collect(in_bucket.site, ALONE, dry_run=True)
    assert {x.kind for x in told.removals} == {"record", "object"}
    assert state(in_bucket)[3] == before
    assert collect(in_bucket.site, ALONE).removals == told.removals
    names = state(in_bucket)[3]
    assert {x for x in names if x.startswith("objects/")} == needed
    assert before - names == {x.name for x in told.removals}
    assert in_bucket.promote().reevaluated.version == 2  # from what is left, read anew
    assert collect(in_bucket.site, ALONE, dry_run=True).removals == ()


@pytest.fixture
def behind_server(tmp_path, monkeypatch):
    with serving(tmp_path / "mlflow") as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        yield two_runs(tmp_path / "workspace")


def test_a_server_keeps_rows_as_deleted_and_loses_the_files(behind_server, tmp_path):
    runs = holdings(behind_server.site).runs
    (older, newer) = sorted((x for x in runs if x.parent is None), key=lambda x: x.started)
    gone = {x.run_id for x in runs if older.run_id in (x.run_id, x.parent)}
    model, kept = (behind_server.aliases.tags_of(x)["model_id"] for x in (1, 2))
    root = tmp_path / "mlflow" / "files"
    assert all([*root.rglob(f"*{x}*")] for x in (model, kept))
    found = collect(behind_server.site, NOW)
    assert "rows of removed runs as deleted; run mlflow gc there" in " ".join(found.notes)
    versions, _, models, _ = state(behind_server)
    assert (versions, models) == ({2}, {kept})
    stages = {x.run_id: x.is_deleted for x in holdings(behind_server.site).runs}
    assert stages == {x.run_id: x.run_id in gone for x in runs}
    files = [str(x) for x in root.rglob("*") if x.is_file()]
    assert not [x for x in files for name in (model, *gone) if name in x]
    assert [x for x in files if kept in x]
    assert newer.run_id not in gone
    assert behind_server.promote().reevaluated.version == 2
    assert behind_server.client.get_model_version_by_alias(NAME, "champion").version == "2"
    assert collect(behind_server.site, NOW, dry_run=True).bytes_freed == 0
