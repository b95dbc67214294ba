"""A training that is interrupted on one machine and goes on on another, through the store."""

import logging

import pytest

from mixmatch.config import FineTuneSettings
from tasks.interruption import Interruption
from tasks.shelf import Shelf, remove_finished
from tasks.site import Site
from tasks.store import FolderStore
from tests.tasks.test_member import Bench

THREE_EPOCHS = FineTuneSettings(max_epochs=3, patience=3, learning_rate=0.01, batch_size=8)


class ProcessDeathError(Exception):
    """Stands in for the end of a worker process."""


class Machine(Bench):
    """A workspace of its own over a store that others share."""

    def __init__(self, folder, store):
        super().__init__(folder / "own")
        self.site = Site(workspace=str(folder / "own"), store=str(store))
        self.store = self.site.open_store()
        self.base, self.data = (self.put_again(folder, x) for x in (self.base, self.data))

    def put_again(self, folder, artifact):
        own = FolderStore(folder / "own" / "store").path(artifact)
        with self.store.scratch() as scratch:
            (scratch / "file").write_bytes(own.read_bytes())
            return self.store.put(scratch / "file")


@pytest.fixture
def machines(tmp_path):
    return [Machine(tmp_path / name, tmp_path / "shared") for name in ("first", "second")]


@pytest.fixture
def died(machines, monkeypatch):
    """Let the first machine die after two epochs, once their state was written; return the job."""
    write = Interruption._write

    def deadly(self, snapshot):
        write(self, snapshot)
        if snapshot.num_epochs == 2:
            raise ProcessDeathError

    job = machines[0].job(fine_tune=THREE_EPOCHS)
    with monkeypatch.context() as patch:
        patch.setattr(Interruption, "_write", deadly)
        # As if states and their copies cost no time: each epoch's is kept.
        patch.setattr("tasks.pace._PAUSE", 0.0)
        with pytest.raises(ProcessDeathError):
            machines[0].make(job)
    return job


def trainings(machine):
    return machine.store.names("training/")


def test_a_training_goes_on_on_another_machine_and_is_the_same_file(machines, died, tmp_path):
    whole = Bench(tmp_path / "alone").make(died)
    assert trainings(machines[1]) == (f"training/member/{died.key}.safetensors",)
    record = machines[1].make(died)
    assert record.artifact == whole.artifact
    assert [x.train_loss for x in record.epochs] == [x.train_loss for x in whole.epochs]


def test_the_second_machine_trains_only_what_is_left(machines, died, monkeypatch):
    resumed = []
    read = Interruption._read

    def noted(self):
        resumed.append(read(self))
        return resumed[-1]

    monkeypatch.setattr(Interruption, "_read", noted)
    machines[1].make(died)
    assert [x.num_epochs for x in resumed] == [2]


def test_nothing_is_left_of_a_training_that_is_done(machines, died):
    machines[1].make(died)
    assert trainings(machines[1]) == ()
    assert not machines[1].site.open_workspace().training_file(died.key).exists()


def test_a_workspace_with_a_store_of_its_own_makes_no_copies(tmp_path):
    bench = Bench(tmp_path / "alone")
    assert Shelf.of(bench.site, "member", "a" * 64) is None
    assert remove_finished(bench.site) == ()


def test_what_a_slower_worker_wrote_after_a_job_was_done_is_removed(machines, died, tmp_path):
    machines[1].make(died)
    unfinished = machines[1].job(fine_tune=THREE_EPOCHS, seed=7)
    late = tmp_path / "late"
    late.write_bytes(b"state")
    for job in (died, unfinished):
        Shelf.of(machines[1].site, "member", job.key).keep(late)
    assert remove_finished(machines[1].site) == (f"training/member/{died.key}.safetensors",)
    assert trainings(machines[1]) == (f"training/member/{unfinished.key}.safetensors",)


def test_a_copy_is_made_again_when_nine_times_its_cost_has_passed(machines, tmp_path, monkeypatch):
    # One for the start; then one per question, and two more per copy.
    clock = iter([99.0, 100.0, 100.0, 102.0, 119.9, 120.0, 120.0, 121.0])
    monkeypatch.setattr("tasks.pace.time.monotonic", lambda: next(clock))
    shelf, file = Shelf.of(machines[0].site, "member", "a" * 64), tmp_path / "file"
    contents = []
    for content in (b"1", b"2", b"3"):
        file.write_bytes(content)
        shelf.keep(file)
        contents.append(machines[0].store.read(shelf._name))
    assert contents == [b"1", b"1", b"3"]


def test_a_training_goes_on_where_no_copy_can_be_made(machines, tmp_path, caplog):
    shelf = Shelf.of(machines[0].site, "member", "a" * 64)
    with caplog.at_level(logging.WARNING):
        shelf.keep(tmp_path / "absent")
    assert "A worker elsewhere could not go on from here" in caplog.text
