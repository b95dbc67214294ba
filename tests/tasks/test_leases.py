"""Leases of living, dead and far owners."""

import os
import threading
import time

import pytest

from tasks.leases import found_leases, held
from tasks.owners import STALE_S, Owner
from tasks.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    return Workspace.open(tmp_path / "workspace")


def until(holds):
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def dead_owner():
    here = Owner.here()
    return here.model_copy(update={"started": here.started - 1})


def rewritten(file, owner):
    """Let the lease be another owner's."""
    file.write_text(
        file.read_text().replace(Owner.here().model_dump_json(), owner.model_dump_json())
    )


def test_a_lease_lasts_as_long_as_its_block(workspace):
    with held(workspace) as lease:
        (found,) = found_leases(workspace)
        assert (found.owner, found.begun, found.is_alive) == (Owner.here(), lease.begun, True)
    assert list(workspace.leases.iterdir()) == []


def test_the_lease_of_a_dead_owner_is_told(workspace):
    with held(workspace) as lease:
        rewritten(lease.file, dead_owner())
        assert [x.is_alive for x in found_leases(workspace)] == [False]


@pytest.mark.parametrize(("age_s", "alive"), [(0, True), (STALE_S + 60, False)])
def test_the_lease_of_another_machine_is_judged_by_its_heartbeat(workspace, age_s, alive):
    with held(workspace) as lease:
        rewritten(lease.file, Owner.here().model_copy(update={"space": "another boot"}))
        os.utime(lease.file, (time.time() - age_s,) * 2)
        assert [x.is_alive for x in found_leases(workspace)] == [alive]


def test_a_heartbeat_freshens_the_file_and_reaches_all_even_if_others_fail_or_wait(
    workspace, monkeypatch, caplog
):
    monkeypatch.setattr("tasks.leases.BEAT_S", 0.01)
    heard, answered = threading.Event(), threading.Event()
    with held(workspace) as lease:
        os.utime(lease.file, (0, 0))
        lease.on_beat(lambda: 1 / 0)
        lease.on_beat(lambda: answered.wait(60))  # of a server that is away
        lease.on_beat(heard.set)
        assert heard.wait(60)
        until(lambda: lease.file.stat().st_mtime > time.time() - 60)
        until(lambda: "A heartbeat failed: ZeroDivisionError: division by zero" in caplog.text)
        answered.set()


def test_a_lease_that_was_taken_away_comes_back_whole_until_it_ends(workspace, monkeypatch):
    monkeypatch.setattr("tasks.leases.BEAT_S", 0.01)
    with held(workspace) as lease:
        lease.file.unlink()
        until(lambda: found_leases(workspace))
        assert found_leases(workspace)[0].owner == Owner.here()
    time.sleep(0.1)
    assert list(workspace.leases.iterdir()) == []


def test_an_adopted_server_stands_in_the_lease(workspace):
    with held(workspace) as lease:
        lease.adopt(os.getpid())
        assert found_leases(workspace)[0].children == (Owner.here(),)
