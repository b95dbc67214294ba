"""What no living process can own goes, and nothing else."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.leases import FoundLease, found_leases, held
from tasks.leftovers import end_children, remove_leftovers
from tasks.owners import Owner
from tasks.scratch import scratch_folder
from tasks.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    return Workspace.open(tmp_path / "workspace")


def left(workspace, *names, age_s=60):
    for name in names:
        place = workspace.root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("")
        os.utime(place, (time.time() - age_s,) * 2)


def test_what_is_older_than_all_living_leases_is_removed(workspace):
    left(workspace, "store/scratch/old", "runs/progress/old", "scratch/old", "training/x.1.new")
    with held(workspace):
        left(workspace, "store/scratch/new", age_s=-1)
        removed = remove_leftovers(workspace, found_leases(workspace))
    assert sorted(removed) == [
        "runs/progress/old",
        "scratch/old",
        "store/scratch/old",
        "training/x.1.new",
    ]
    assert (workspace.root / "store/scratch/new").exists()


def test_what_a_living_run_may_use_is_left_alone(workspace):
    left(workspace, "store/scratch/used", age_s=60)
    begun_before = FoundLease(workspace.root, Owner.here(), time.time() - 120, (), is_alive=True)
    assert remove_leftovers(workspace, [begun_before]) == ()
    assert (workspace.root / "store/scratch/used").exists()


def test_scratch_that_a_living_process_holds_without_a_lease_is_left_alone(workspace):
    with scratch_folder(workspace.store / "scratch") as folder:
        (folder / "file").write_text("")
        os.utime(folder, (time.time() - 60,) * 2)
        assert remove_leftovers(workspace, []) == ()
        assert (folder / "file").is_file()
    assert not folder.exists()


def test_scratch_of_a_killed_process_is_removed_wherever_it_lies(workspace):
    places = ("cache/s3/scratch", "dvc/.dvc", "data", "data/fashion_mnist", "checkpoints")
    code = """
import sys
from contextlib import ExitStack
from pathlib import Path
from tasks.scratch import scratch_folder
with ExitStack() as stack:
    for place in sys.argv[1:]:
        print(stack.enter_context(scratch_folder(Path(place))), flush=True)
    input()
"""
    command = [sys.executable, "-c", code, *(str(workspace.root / x) for x in places)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        made = [Path(process.stdout.readline().strip()) for _ in places]
        for folder in made:
            os.utime(folder, (time.time() - 60,) * 2)
        assert remove_leftovers(workspace, []) == ()
        process.kill()
    expected = {str(x.relative_to(workspace.root)) for x in made}
    assert set(remove_leftovers(workspace, [])) == expected
    assert not [x for x in made if x.exists()]


def test_an_interrupted_training_waits_for_a_month(workspace):
    left(workspace, "training/a.safetensors", age_s=29 * 86400)
    left(workspace, "training/b.safetensors", age_s=31 * 86400)
    assert remove_leftovers(workspace, []) == ("training/b.safetensors",)


def test_records_reports_and_objects_are_never_touched(workspace):
    kept = ("store/records/x.json", "store/objects/ab/abc", "runs/id/report.html", "mlflow.db")
    left(workspace, *kept, age_s=1e6)
    assert remove_leftovers(workspace, []) == ()


def test_the_server_of_a_dead_owner_is_ended():
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True
    ) as child:
        server = Owner.of(child.pid)
        dead = FoundLease(None, Owner.here(), 0.0, (server,), is_alive=False)
        assert end_children([dead]) == (server,)
        assert child.wait(timeout=30) == -9
        assert end_children([dead]) == ()
