"""Whether an owner lives: by its process here, by its heartbeat elsewhere."""

import os
import subprocess
import sys

import pytest

from tasks.owners import STALE_S, Owner


def test_this_process_lives_whatever_its_heartbeat_says():
    assert Owner.here().pid == os.getpid()
    assert Owner.here().is_alive(beat_age_s=1e9)


def test_a_later_process_of_the_same_number_is_another_owner():
    earlier = Owner.here().model_copy(update={"started": Owner.here().started - 1})
    assert not earlier.is_alive(beat_age_s=0.0)


def test_a_killed_process_is_dead_also_while_its_parent_has_not_noticed():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        owner = Owner.of(child.pid)
        assert owner.is_alive(beat_age_s=1e9)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # stays a zombie
        assert not owner.is_alive(beat_age_s=0.0)


@pytest.mark.parametrize(("age_s", "alive"), [(STALE_S - 1, True), (STALE_S, False)])
def test_a_process_of_another_machine_lives_by_its_heartbeat(age_s, alive):
    far = Owner.here().model_copy(update={"host": "far", "space": "another boot"})
    assert far.is_alive(age_s) is alive


def test_an_owner_is_read_back_from_its_line():
    assert Owner.parse(str(Owner.here())) == Owner.here()


@pytest.mark.parametrize("text", [None, "", "a/b/c/d", "host/space/1"])
def test_anything_else_names_no_owner(text):
    assert Owner.parse(text) is None
