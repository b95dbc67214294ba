"""A run that is asked to end, as a service manager asks it."""

import json
import time

import psutil
import pytest

from tests.flows.command import Command

pytestmark = pytest.mark.service

_IN_VAIN_S = 30.0  # the wait for task runs whose end nobody tells the server

RUN_FILE = """
name: ended
data: {name: digits, image_size: 16}
model: {architecture: test_resnet, train: {epochs: 1}}
fine_tune: {max_epochs: 20, patience: 20}
engine: {workers: 1}
register: {enabled: false}
"""


def test_a_terminated_run_ends_its_servers_and_workers(tmp_path):
    run_file = tmp_path / "run.yaml"
    run_file.write_text(RUN_FILE)
    command = Command(tmp_path / "workspace", run_file)
    command.await_worker_at_work()
    family = psutil.Process(command.process.pid).children(recursive=True)
    began = time.monotonic()
    command.process.terminate()
    stdout, _ = command.process.communicate(timeout=120)
    assert time.monotonic() - began < _IN_VAIN_S
    assert (command.process.returncode, stdout) == (128 + 15, "")
    lines = (tmp_path / "workspace" / "openlineage.jsonl").read_text().splitlines()
    assert [json.loads(x)["eventType"] for x in lines] == ["START", "ABORT"]
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
