"""A member and a base that are interrupted, and the file that brings them back."""

import logging

import pytest
import torch
from safetensors.torch import save_file

from mixmatch.config import DistillSettings, FineTuneSettings, ModelSettings, TrainSettings
from mixmatch.snapshots import Snapshot
from tasks.interruption import Clock, Effort, Interruption
from tasks.jobs import BaseJob
from tasks.steps import make_base
from tests.tasks.test_member import EXECUTION, SPEC, Bench

THREE_EPOCHS = FineTuneSettings(max_epochs=3, patience=3, learning_rate=0.01, batch_size=8)
SNAPSHOT = Snapshot(2, {"model/weight": torch.tensor([1.0, 2.0])}, {"measured": [0.5]})


class ProcessDeathError(Exception):
    """Stands in for the end of a worker process."""


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "workspace")


@pytest.fixture
def twin(tmp_path):
    """The same inputs in another workspace."""
    return Bench(tmp_path / "twin")


@pytest.fixture
def die_after(monkeypatch):
    """Let the process die once after so many epochs, when their state has been written."""

    def arrange(num_epochs):
        write = Interruption._write

        def deadly(self, snapshot):
            write(self, snapshot)
            if snapshot.num_epochs == num_epochs:
                monkeypatch.setattr(Interruption, "_write", write)
                raise ProcessDeathError

        monkeypatch.setattr(Interruption, "_write", deadly)
        monkeypatch.setattr("tasks.pace._PAUSE", 0.0)  # the state of every epoch is kept

    return arrange


@pytest.mark.parametrize(
    ("after", "distill", "convolutions"),
    [
        (1, DistillSettings(weight=0.5, temperature=2.0), "native"),
        (1, None, "native"),
        (2, None, "products"),
    ],
)
def test_a_member_that_was_interrupted_is_the_same_file(
    bench, twin, die_after, after, distill, convolutions
):
    settings = THREE_EPOCHS.model_copy(update={"distill": distill})
    execution = EXECUTION.model_copy(update={"small_convolutions": convolutions})
    job = bench.job(fine_tune=settings, augmentation="crop", execution=execution)
    whole = twin.make(job)
    die_after(after)
    with pytest.raises(ProcessDeathError):
        bench.make(job)
    assert bench.site.open_workspace().training_file(job.key).is_file()
    record = bench.make(job)
    assert record.artifact == whole.artifact
    assert (record.validation, record.test) == (whole.validation, whole.test)
    assert [x.train_loss for x in record.epochs] == [x.train_loss for x in whole.epochs]
    assert not bench.site.open_workspace().training_file(job.key).exists()


def test_a_member_goes_on_instead_of_training_what_is_trained(bench, die_after, caplog):
    job = bench.job(fine_tune=THREE_EPOCHS)
    die_after(2)
    with pytest.raises(ProcessDeathError):
        bench.make(job)
    lost = Interruption.of(bench.site, job, Clock.start())._read()
    record = bench.make(job)
    seconds = [x.seconds for x in record.epochs[:2]]
    assert seconds == [x["seconds"] for x in lost.facts["epochs"]]
    assert record.seconds > lost.facts["effort"]["seconds"] > sum(seconds)


def test_a_member_of_a_chain_goes_on_too(bench, twin, die_after):
    first = bench.job(num_pruned={"conv1.0": 100})
    job = bench.job(start=first.key, fine_tune=THREE_EPOCHS)
    for one in (bench, twin):
        one.make(first)
    whole = twin.make(job)
    die_after(1)
    with pytest.raises(ProcessDeathError):
        bench.make(job)
    assert bench.make(job).artifact == whole.artifact


def test_a_single_epoch_writes_no_state(bench, monkeypatch):
    monkeypatch.setattr(Interruption, "_write", None)  # would fail if it were called
    assert len(bench.make(bench.job()).epochs) == 1


def test_a_base_that_was_interrupted_is_the_same_file(bench, twin, die_after):
    settings = ModelSettings(
        architecture="test_resnet", train=TrainSettings(epochs=3, batch_size=8)
    )
    job = BaseJob(
        data=bench.data,
        spec=SPEC,
        checkpoint_digest=None,
        settings=settings,
        augmentation="crop",
        seed=0,
        execution=EXECUTION,
    )
    whole = make_base(job, None, twin.site)
    die_after(2)
    with pytest.raises(ProcessDeathError):
        make_base(job, None, bench.site)
    assert make_base(job, None, bench.site).artifact == whole.artifact


def interruption(folder, key="a" * 64):
    return Interruption(folder / f"{key}.safetensors", key, Clock.start())


def kept(folder):
    one = interruption(folder)
    snapshots = one.snapshots(facts=dict, on_resume=lambda found: None)
    snapshots.offer(0, lambda: SNAPSHOT)
    return one


def test_what_is_written_is_found_again_with_what_it_has_cost(tmp_path):
    one = kept(tmp_path)
    found = one._read()
    assert found.num_epochs == 2
    assert torch.equal(found.tensors["model/weight"], torch.tensor([1.0, 2.0]))
    assert found.facts["measured"] == [0.5]
    assert [x.name for x in tmp_path.iterdir()] == [one.file.name]
    one.snapshots(facts=dict, on_resume=lambda found: None).on_resume(found)
    assert one.clock.before == Effort(**found.facts["effort"])


def spoil_a_bit(file):
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


SPOILED = {
    "a bit": (spoil_a_bit, "its checksum is wrong"),
    "half": (lambda file: file.write_bytes(file.read_bytes()[:-3]), "SafetensorError"),
    "nothing": (lambda file: file.write_bytes(b""), "SafetensorError"),
    "another's": (
        lambda file: save_file({"x": torch.ones(1)}, file, {"other": "1"}),
        "KeyError: 'mixmatch'",
    ),
    "no object": (
        lambda file: save_file({"x": torch.ones(1)}, file, {"mixmatch": "[]"}),
        "TypeError",
    ),
}


@pytest.mark.parametrize(("spoil", "reason"), SPOILED.values(), ids=SPOILED)
def test_a_spoiled_file_means_that_the_training_begins_anew(tmp_path, caplog, spoil, reason):
    one = kept(tmp_path)
    spoil(one.file)
    with caplog.at_level(logging.WARNING):
        assert one._read() is None
    (line,) = caplog.messages
    assert "begins anew" in line
    assert reason in line


def test_a_state_that_would_take_more_than_a_tenth_of_the_time_is_not_even_taken(tmp_path):
    one = interruption(tmp_path)
    snapshots = one.snapshots(facts=dict, on_resume=lambda found: None)
    snapshots.offer(int(1e12), lambda: pytest.fail("it was taken"))
    assert not one.file.exists()


def test_the_file_of_another_job_is_not_taken(tmp_path, caplog):
    one, other = kept(tmp_path), interruption(tmp_path, key="b" * 64)
    one.file.rename(other.file)
    assert other._read() is None
    assert f"its key is {'a' * 64}, not {'b' * 64}" in caplog.text


def test_a_training_goes_on_where_its_state_cannot_be_written(tmp_path, caplog):
    (tmp_path / "folder").write_text("no folder")
    one = Interruption(tmp_path / "folder" / "x.safetensors", "a" * 64, Clock.start())
    one.snapshots(facts=dict, on_resume=lambda found: None).offer(0, lambda: SNAPSHOT)
    assert "An interruption now would lose epochs" in caplog.text
