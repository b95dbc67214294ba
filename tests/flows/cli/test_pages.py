import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import psutil
import pytest

from flows.cli.foreground import ctrl_c_on_sigterm
from flows.cli.pages import (
    _end_group,
    _free_port,
    _wait_for_health,
    mlflow_pages,
)
from mixmatch.errors import ConfigError, ServiceError
from tasks.site import Site
from tasks.workspace import Workspace

# A parent that starts a child, prints the child's id, and lets both ignore polite ends.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)"
child = subprocess.Popen([sys.executable, "-c", code + "; time.sleep(60)"], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_stubborn_process_ends_with_its_children(monkeypatch):
    monkeypatch.setattr("flows.cli.pages._END_S", 0.5)
    process = subprocess.Popen(
        [sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, start_new_session=True
    )
    with process:
        child = int(process.stdout.readline())
        assert is_alive(child)
        _end_group(process)
    end = time.monotonic() + 5
    while is_alive(child) and time.monotonic() < end:
        time.sleep(0.05)
    assert not is_alive(child)
    assert process.returncode is not None


def test_any_port_or_the_wanted_one_is_chosen_if_it_is_free():
    free = _free_port(None)
    assert _free_port(free) == free


def test_a_taken_port_is_wrong_input():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        message = rf"^--port must be a free port, got {port} \(Address already in use\)\.$"
        with pytest.raises(ConfigError, match=message):
            _free_port(port)


def ask_politely():
    with ctrl_c_on_sigterm():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)


def test_a_polite_end_is_like_ctrl_c_inside_the_block_only():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        ask_politely()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_server_that_ends_at_once_is_said_with_its_log(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        message = r"MLflow's pages must answer at http://127.0.0.1:1, but ended; see .*pages\.log$"
        with pytest.raises(ServiceError, match=message):
            _wait_for_health(process, 1, tmp_path / "pages.log")


def test_a_server_that_tracks_the_workspace_has_the_pages_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example:5000")
    site = Site.at(Workspace.open(tmp_path))
    with mlflow_pages(site, None) as address:
        assert address == "https://mlflow.example:5000"
    message = (
        r"--port must be left out where MLFLOW_TRACKING_URI names a server, got 5001: MLflow's"
    )
    with pytest.raises(ConfigError, match=message), mlflow_pages(site, 5001):
        pass


@pytest.mark.service
def test_mlflow_serves_its_pages_over_the_workspace_and_ends(tmp_path):
    site = Site.at(Workspace.open(tmp_path))
    with mlflow_pages(site, None) as address:
        assert httpx.get(address).is_success
        assert address.startswith("http://127.0.0.1:")
        # Where it has its data may hold a password, and every user here can read what was started.
        started = [x.cmdline() for x in psutil.Process().children(recursive=True)]
        assert any("mlflow" in words for words in started)
        assert not any("sqlite:" in word for words in started for word in words)
    with pytest.raises(httpx.TransportError):
        httpx.get(address)
