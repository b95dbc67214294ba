import os
import signal
import subprocess
import sys

from flows.server.liveness import claim, is_claimed


def test_a_file_that_is_not_there_is_not_claimed(tmp_path):
    assert not is_claimed(tmp_path / "lock")


def test_a_claim_lasts_until_its_descriptor_is_closed(tmp_path):
    descriptor = claim(tmp_path / "folder" / "lock")
    assert is_claimed(tmp_path / "folder" / "lock")
    os.close(descriptor)
    assert not is_claimed(tmp_path / "folder" / "lock")


def test_a_child_keeps_an_inherited_claim_until_it_is_killed(tmp_path):
    descriptor = claim(tmp_path / "lock")
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(command, pass_fds=(descriptor,)) as child:
        os.close(descriptor)
        assert is_claimed(tmp_path / "lock")
        child.send_signal(signal.SIGKILL)
    assert not is_claimed(tmp_path / "lock")
