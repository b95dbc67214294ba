"""Two runs of one model in a real registry and store, of which the older may go."""

import shutil
from threading import Thread

import pytest

from mixmatch.errors import WorkError
from tasks.leases import found_leases, held
from tasks.promotion import approval, approve, promoting, returning, rollback
from tasks.retention import collect, collecting
from tasks.tracking import connect
from tasks.versioning import version_files
from tests.tasks.promotion.shop import NAME, Shop
from tests.tasks.retention.two_runs import NOW, state, two_runs

KINDS = ["version", "model", "run", "dvc", "record", "object"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Keep a copy of a workspace, since MLflow's addresses allow no other place."""
    folder = tmp_path_factory.mktemp("collecting")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        shop = two_runs(folder / "workspace")
    (folder / "file").write_bytes(b"x" * 1000)
    version_files(shop.site, "family-nobody", {"file": folder / "file"})
    shutil.copytree(folder / "workspace", folder / "copy", symlinks=True)
    return folder / "workspace"


@pytest.fixture
def shop(made, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for part in made.iterdir():  # the database stays one file: this process holds it open
        if part.is_dir():
            shutil.rmtree(part)
    shutil.copytree(made.with_name("copy"), made, symlinks=True, dirs_exist_ok=True)
    return Shop(made)


def content(root):
    # Beside SQLite's database lies what its readers share, which every reader touches.
    files = [x for x in root.rglob("*") if x.is_file() and not x.name.startswith("mlflow.db-")]
    return {x.relative_to(root): x.read_bytes() for x in files}


def test_a_dry_run_changes_no_byte_and_names_what_then_goes(shop, made):
    before = content(made)
    told = collect(shop.site, NOW, dry_run=True)
    assert content(made) == before
    assert list(dict.fromkeys(x.kind for x in told.removals)) == KINDS
    assert collect(shop.site, NOW).removals == told.removals


def test_the_older_goes_and_what_both_need_stays(shop):
    packed = shop.aliases.tags_of(1)["digest"]
    collect(shop.site, NOW)
    versions, runs, models, names = state(shop)
    assert (versions, len(runs), len(models)) == ({2}, 2, 1)
    assert f"objects/{packed[:2]}/{packed}" not in names
    wanted = [shop.aliases.tags_of(2)[x] for x in ("digest", "data.digest")]
    assert {f"objects/{x[:2]}/{x}" for x in wanted} == {x for x in names if "objects" in x}
    assert not list((shop.site.open_workspace().dvc_remote / "files").rglob("*.dir"))


def test_an_alias_protects(shop):
    shop.aliases.point("pinned", 1)
    before = state(shop)
    collect(shop.site, NOW)
    assert state(shop) == before


def test_the_ledgers_mark_protects(shop):
    shop.tag(1, "ledger.champion", "{}")
    before = state(shop)
    collect(shop.site, NOW)
    assert state(shop) == before


@pytest.mark.parametrize("kind", [x for x in KINDS if x != "dvc"])
def test_whatever_it_is_killed_after_the_next_call_completes_it(shop, monkeypatch, kind):
    real = collecting._actions

    def actions(site):
        def dies(name):
            real(site)[kind](name)
            raise KeyboardInterrupt

        return {**real(site), kind: dies}

    monkeypatch.setattr(collecting, "_actions", actions)
    with pytest.raises(KeyboardInterrupt):
        collect(shop.site, NOW)
    monkeypatch.setattr(collecting, "_actions", real)
    collect(shop.site, NOW)
    versions, runs, models, names = state(shop)
    assert (versions, len(runs), len(models)) == ({2}, 2, 1)
    assert sum("objects" in x for x in names) == 2
    assert collect(shop.site, NOW, dry_run=True).removals == ()


def test_nothing_goes_while_somebody_works_here(shop):
    before = state(shop)
    with held(shop.site.open_workspace()), pytest.raises(WorkError, match="Nobody must work on"):
        collect(shop.site, NOW)
    assert state(shop) == before


def test_another_mlflow_than_the_workspaces_own_frees_none_of_its_files(
    shop, tmp_path, monkeypatch
):
    before = state(shop)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'other.db'}")
    connect(shop.site)
    found = collect(shop.site, NOW)
    assert found.removals == ()
    (note,) = found.notes
    assert note.startswith("Nothing outside MLflow is removed: ")
    assert "mlflow.db may name what is needed too, and MLFLOW_TRACKING_URI leads elsewhere" in note
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert state(shop) == before


def test_an_mlflow_that_knows_none_of_the_runs_frees_no_file(shop):
    folder = shop.site.open_workspace().runs / ("0" * 32)
    folder.mkdir(parents=True)
    names = state(shop)[3]
    found = collect(shop.site, NOW)
    assert "this MLflow knows no run in" in found.notes[0]
    assert {x.kind for x in found.removals} == {"version", "model", "run"}
    assert (folder.is_dir(), state(shop)[3]) == (True, names)


def test_the_grace_period_protects_what_was_just_written(shop):
    names = state(shop)[3]
    collect(shop.site, NOW.model_copy(update={"grace_hours": 1.0}))
    assert state(shop)[3] == names


def test_a_version_that_is_named_meanwhile_stays(shop, monkeypatch):
    real = collecting.make_plan

    def slow(*given):
        plan = real(*given)
        shop.aliases.point("champion", 1)
        return plan

    monkeypatch.setattr(collecting, "make_plan", slow)
    before = state(shop)
    with pytest.raises(WorkError, match=f"Version 1 of {NAME} was to be removed"):
        collect(shop.site, NOW)
    assert state(shop) == before


def while_it_works(shop, monkeypatch, module, step):
    """Collect in the middle of a change of an alias; return what that was told."""
    real, told = getattr(module, step), []

    def interrupted(*given):
        with pytest.raises(WorkError) as refusal:
            collect(shop.site, NOW)
        told.append(str(refusal.value))
        return real(*given)

    monkeypatch.setattr(module, step, interrupted)
    return told


def passes_only(shop, version):
    """Return a policy that only this one of the two versions passes."""
    for one in (1, 2):
        shop.tag(one, "drop.mean", "0.0" if one == version else "0.5")
    return {"largest_drop": {"drop": 0.0, "of": "mean"}}


def test_nothing_goes_between_a_promotions_choice_and_its_alias(shop, monkeypatch):
    told = while_it_works(shop, monkeypatch, promoting, "_evaluated")
    assert shop.promote(**passes_only(shop, 1)).version == 1
    assert "Nobody must work on" in told[0]
    assert (shop.champion(), found_leases(shop.site.open_workspace())) == (1, ())
    collect(shop.site, NOW)
    assert 1 in state(shop)[0]


def test_nothing_goes_while_a_person_answers_or_goes_back(shop, monkeypatch):
    told = while_it_works(shop, monkeypatch, approval, "_check_file")
    shop.promote(**passes_only(shop, 1))
    shop.promote(**passes_only(shop, 2), needs_approval=True)
    approve(shop.site, NAME, "champion", by="ada", why="a test")
    again = while_it_works(shop, monkeypatch, returning, "_checked_digest")
    rollback(shop.site, NAME, "champion", by="ada", why="a test")
    assert ["Nobody must work on" in x for x in (*told, *again)] == [True, True]


def test_a_promotion_that_begins_meanwhile_chooses_among_what_is_left(shop, monkeypatch):
    policy, real, late = passes_only(shop, 1), collecting.make_plan, []

    def slow(*given):
        late.append(Thread(target=lambda: late.append(shop.promote(**policy))))
        late[0].start()
        late[0].join(1.0)
        return real(*given)

    monkeypatch.setattr(collecting, "make_plan", slow)
    collect(shop.site, NOW)
    late[0].join(60.0)
    assert (late[1].outcome, shop.champion(), state(shop)[0]) == ("nothing", None, {2})
