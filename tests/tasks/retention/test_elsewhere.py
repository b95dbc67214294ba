"""Retention where not all lies in one folder: the store in a bucket, MLflow behind a server."""

import pytest

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


@pytest.fixture
def in_bucket(s3_place, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return two_runs(tmp_path / "workspace", s3_place)


def test_of_a_bucket_goes_only_what_nobody_needs_and_if_nobody_else_uses_it(in_bucket):
    before, needed = state(in_bucket)[3], files_of(in_bucket, 2)
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


def test_in_a_bucket_too_the_ledger_protects_a_holder_that_was(in_bucket):
    for passing in (1, 2):
        for version in (1, 2):
            drop = "0.0" if version == passing else "0.5"
            in_bucket.tag(version, "drop.mean", drop)
        in_bucket.promote(largest_drop={"drop": 0.0, "of": "mean"})
    before = state(in_bucket)
    collect(in_bucket.site, ALONE)
    assert state(in_bucket) == before


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
