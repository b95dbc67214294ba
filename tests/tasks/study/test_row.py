from dataclasses import replace

import pytest
from pydantic import ValidationError

from mixmatch.config import FineTuneSettings
from mixmatch.records import Artifact, EpochRecord, Execution, MemberRecord
from tasks.jobs import MemberJob
from tasks.members import Member, RivalMember, Spent
from tasks.study.machine import Machine
from tasks.study.row import StudyRow

EXECUTION = Execution(
    device="cpu", precision="float32", threads=1, small_convolutions="native", versions={}
)
MACHINE = Machine(hardware="Some CPU, 2 cores", versions={"torch": "2.13.0"})


@pytest.fixture
def job(tiny_base, tiny_data):
    return MemberJob(
        base=tiny_base.artifact,
        data=tiny_data.artifact,
        spec=tiny_base.spec,
        criterion="magnitude",
        scores=None,
        num_pruned={"fc": 1500},
        fine_tune=FineTuneSettings(),
        augmentation="none",
        seed=3,
        execution=EXECUTION,
    )


@pytest.fixture
def record(half_right):
    return MemberRecord(
        artifact=Artifact(digest="p" * 64, size_bytes=2345),
        mask_digest="m" * 64,
        num_weights=2000,
        num_nonzero=500,
        num_parameters=2050,
        sparsity=0.75,
        sparsity_of_all=0.7,
        layer_sparsity={"fc": 0.75},
        validation_after_mask=half_right.model_copy(update={"value": 0.125}),
        validation_after_batch_norm=half_right.model_copy(update={"value": 0.25}),
        validation=half_right,
        test=half_right,
        epochs=(EpochRecord(train_loss=1.0, validation_accuracy=0.5, seconds=1.0),) * 4,
        best_epoch=2,
        seconds=12.5,
        cpu_seconds=20.0,
    )


def test_rounds_that_made_a_member_worse_are_in_its_row(job, record):
    record = record.model_copy(update={"epochs_before": 1})
    untrained = {
        "validation_after_mask": record.test.model_copy(update={"value": 0.0625}),
        "validation_after_batch_norm": record.test.model_copy(update={"value": 0.375}),
    }
    first = record.model_copy(update=untrained)
    member = Member("balanced", (), "magnitude", 3, job, Spent(8, 40.0, None, first))
    row = StudyRow.of_member(member, record, MACHINE)
    assert (row.epochs_run, row.epochs_before, row.epochs_discarded) == (5, 1, 3)
    assert (row.seconds, row.seconds_before, row.cpu_seconds) == (40.0, 0.0, None)
    # The start of its last round is a trained network, not the masked base.
    assert (row.validation_after_mask, row.validation_after_batch_norm) == (0.0625, 0.375)
    assert StudyRow.of_member(replace(member, spent=None), record, MACHINE).epochs_discarded == 0


def test_a_member_becomes_a_row_with_all_that_was_measured(job, record):
    row = StudyRow.of_member(
        Member("balanced", ("percentile_50",), "magnitude", 3, job), record, MACHINE
    )
    assert row.label == "balanced/magnitude/3"
    assert (row.kind, row.also, row.asked_sparsity) == ("family", ("percentile_50",), None)
    assert (row.sparsity, row.num_weights, row.num_nonzero, row.bytes) == (0.75, 2000, 500, 2345)
    assert (row.validation_after_mask, row.validation_after_batch_norm) == (0.125, 0.25)
    assert (row.epochs_run, row.best_epoch, row.seconds, row.cpu_seconds) == (4, 2, 12.5, 20.0)
    assert (row.base_digest, row.data_digest, row.mask_digest) == ("b" * 64, "a" * 64, "m" * 64)
    assert (row.key, row.execution) == (job.key, EXECUTION)
    assert (row.hardware, row.versions) == ("Some CPU, 2 cores", {"torch": "2.13.0"})
    assert row.finished_at.endswith("+00:00")


def test_what_a_chain_took_before_is_told_apart(job, record):
    record = record.model_copy(update={"epochs_before": 3, "seconds_before": 30.0})
    row = StudyRow.of_member(Member("balanced", (), "magnitude", 3, job), record, MACHINE)
    assert (row.seconds, row.seconds_before) == (42.5, 30.0)


def test_a_rival_is_named_by_the_sparsity_that_was_asked_for(job, record):
    row = StudyRow.of_rival(RivalMember("MAG", 0.93434, 3, job), record, MACHINE)
    assert (row.kind, row.label) == ("rival", "MAG@0.93434/3")
    assert (row.criterion, row.asked_sparsity) == (None, 0.93434)


def test_the_dense_control_has_no_asked_sparsity(job, record):
    row = StudyRow.of_rival(RivalMember("dense", 0.0, 1, job), record, MACHINE)
    assert (row.kind, row.label, row.asked_sparsity) == ("dense", "dense/1", None)


def test_the_base_is_dense_and_has_no_seed(tiny_base, tiny_data):
    row = StudyRow.of_base(tiny_base, tiny_data, MACHINE)
    assert (row.kind, row.label, row.seed) == ("base", "base", None)
    assert (row.sparsity, row.num_nonzero, row.bytes) == (0.0, 2000, 8300)
    assert (row.base_digest, row.data_digest, row.key) == ("b" * 64, "a" * 64, None)


def test_a_row_survives_its_line(study_rows):
    for row in study_rows:
        line = row.model_dump_json()
        assert "\n" not in line
        assert StudyRow.model_validate_json(line) == row


def test_a_row_that_nothing_names_is_refused(study_rows):
    values = study_rows[-1].model_dump() | {"asked_sparsity": None}
    with pytest.raises(ValidationError, match="kind rival must have its own seed, criterion and"):
        StudyRow.model_validate(values)
