import os
import signal
import subprocess
import sys

import pytest

from flows.server.managed import ServerHold, end_orphans, kept_up, server_url
from flows.server.process import remembered
from mixmatch.errors import ServiceError

PYTHON = sys.executable  # before the stand-in takes its place
HOLDER = """
import sys, time
from pathlib import Path
from flows.server import process
from flows.server.managed import ServerHold
from tasks.workspace import Workspace
process.sys.executable = sys.argv[1]
hold = ServerHold(Workspace(Path(sys.argv[2])))
print(hold.wait(), flush=True)
time.sleep(60)
"""


def test_the_second_holder_takes_the_first_ones_server_and_the_last_one_ends_it(
    workspace, stand_in
):
    first, second = ServerHold(workspace), ServerHold(workspace)
    assert first.wait() == second.wait() == server_url(workspace)
    assert not first.is_only()
    first.release()
    assert server_url(workspace) == second.url
    assert second.is_only()
    second.release()
    assert server_url(workspace) is None
    assert remembered(workspace) is None
    assert list((workspace.prefect / "holders").iterdir()) == []


def test_the_server_of_a_killed_holder_is_used_on_and_ended_by_the_next(workspace, stand_in):
    command = [PYTHON, "-c", HOLDER, str(stand_in), str(workspace.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        url = holder.stdout.readline().strip()
        holder.send_signal(signal.SIGKILL)
    assert server_url(workspace) == url
    hold = ServerHold(workspace)
    assert hold.wait() == url
    assert hold.is_only()
    hold.release()
    assert server_url(workspace) is None


def test_a_server_that_died_is_replaced(workspace, stand_in):
    first = ServerHold(workspace)
    old = first.wait()
    os.kill(remembered(workspace).pid, signal.SIGKILL)
    while remembered(workspace).is_alive():
        pass
    second = ServerHold(workspace)
    assert second.wait() != old
    assert first.wait() == second.url
    second.release()
    first.release()


def test_a_holder_that_missed_the_replacement_ends_the_new_server(workspace, stand_in):
    first = ServerHold(workspace)
    first.wait()
    os.kill(remembered(workspace).pid, signal.SIGKILL)
    while remembered(workspace).is_alive():
        pass
    second = ServerHold(workspace)
    second.wait()
    second.release()
    first.release()
    assert server_url(workspace) is None
    assert remembered(workspace) is None


def test_a_server_that_is_alive_but_silent_is_replaced(workspace, stand_in, monkeypatch):
    monkeypatch.setattr("flows.server.managed._START_S", 0.0)
    monkeypatch.setattr("flows.server.managed._SILENCE_S", 1.0)
    monkeypatch.setattr("flows.server.process._ANSWER_S", 0.2)
    hold = ServerHold(workspace)
    old = hold.wait()
    os.kill(remembered(workspace).pid, signal.SIGSTOP)
    monkeypatch.setattr("flows.server.process._END_S", 0.3)
    assert hold.wait() != old
    hold.release()


def test_a_silent_server_that_others_hold_is_not_ended(workspace, stand_in, monkeypatch):
    monkeypatch.setattr("flows.server.managed._START_S", 0.5)
    monkeypatch.setattr("flows.server.process._ANSWER_S", 0.2)
    first, second = ServerHold(workspace), ServerHold(workspace)
    first.wait()
    server = remembered(workspace)
    os.kill(server.pid, signal.SIGSTOP)
    with pytest.raises(ServiceError, match=f"other commands use it; .* process {server.pid}"):
        second.wait()
    os.kill(server.pid, signal.SIGCONT)
    assert second.wait() == first.wait() == server.url
    second.release()
    first.release()


def test_a_server_that_does_not_start_is_reported_with_its_last_log_line(workspace, stand_in):
    stand_in.write_text("#!/bin/sh\necho starting\necho no space left on device\nexit 1\n")
    hold = ServerHold(workspace)
    message = r"did not start; the last line of its log .*prefect-server\.log is: 'no space left"
    with pytest.raises(ServiceError, match=message):
        hold.wait()
    hold.release()
    assert remembered(workspace) is None


@pytest.fixture
def orphan(workspace, stand_in):
    """Return a server whose only holder was killed."""
    hold = ServerHold(workspace)
    hold.wait()
    os.close(hold._descriptor)  # as the kernel does when the holder dies
    server = remembered(workspace)
    yield server
    server.end()


def test_a_server_that_nobody_holds_is_ended(workspace, orphan):
    assert end_orphans(workspace) == (orphan.port,)
    assert not orphan.is_alive()
    assert remembered(workspace) is None


def test_a_server_whose_starter_died_before_it_wrote_it_down_is_ended(workspace, orphan):
    (workspace.prefect / "server.json").unlink()
    assert end_orphans(workspace) == (orphan.port,)
    assert not orphan.is_alive()


def test_a_server_that_is_held_is_never_ended(workspace, stand_in):
    hold = ServerHold(workspace)
    url = hold.wait()
    assert end_orphans(workspace) == ()
    assert server_url(workspace) == url
    hold.release()


def test_a_run_keeps_the_server_up_that_its_killed_starter_held(workspace, orphan, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", orphan.url)
    with kept_up(workspace):
        assert end_orphans(workspace) == ()
        assert orphan.is_alive()
    assert orphan.is_alive()  # the run's last state is still to be told
    assert end_orphans(workspace) == (orphan.port,)


def test_a_run_on_another_server_does_not_keep_ours_up(workspace, orphan, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example/api")
    with kept_up(workspace):
        assert end_orphans(workspace) == (orphan.port,)
