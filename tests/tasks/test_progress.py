import pytest

from tasks.progress import MemberProgress, ProgressWriter, read_progress

LABEL = "balanced/magnitude/0"


def progress(**changes):
    values = {
        "label": LABEL,
        "epoch": 1,
        "max_epochs": 4,
        "fraction": 0.5,
        "validation_accuracy": None,
        "started_at": 100.0,
        "updated_at": 130.0,
        "finished": False,
    }
    return MemberProgress(**(values | changes))


def test_tells_the_last_state_and_the_end(tmp_path):
    writer = ProgressWriter(tmp_path / "new", LABEL)
    writer.update(epoch=2, max_epochs=4, fraction=0.5, validation_accuracy=0.9)
    (told,) = read_progress(tmp_path / "new")
    assert (told.label, told.epoch, told.fraction, told.finished) == (LABEL, 2, 0.5, False)
    assert told.validation_accuracy == 0.9
    writer.finish()
    assert read_progress(tmp_path / "new")[0].finished


def test_writes_at_most_four_times_a_second(tmp_path):
    writer = ProgressWriter(tmp_path, LABEL)
    for batch in range(1000):
        writer.update(epoch=0, max_epochs=4, fraction=batch / 1000, validation_accuracy=None)
    assert read_progress(tmp_path)[0].fraction == 0.0


def test_leaves_nothing_but_one_file_per_member(tmp_path):
    for label in ("a/b/0", "a/b/1"):
        ProgressWriter(tmp_path, label).finish()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a%2Fb%2F0.json", "a%2Fb%2F1.json"]


def test_reads_the_member_that_started_first_first_and_skips_what_is_foreign(tmp_path):
    for label in ("z", "a"):
        ProgressWriter(tmp_path, label)
    (tmp_path / "foreign.json").write_text("{}")
    assert [told.label for told in read_progress(tmp_path)] == ["z", "a"]


def test_a_folder_that_is_not_there_holds_nobody(tmp_path):
    assert read_progress(tmp_path / "nothing") == ()


def test_a_training_does_not_fail_on_its_progress(tmp_path):
    (tmp_path / "file").write_text("")
    writer = ProgressWriter(tmp_path / "file" / "below", LABEL)
    writer.update(epoch=0, max_epochs=1, fraction=1.0, validation_accuracy=None)
    writer.finish()
    assert read_progress(tmp_path / "file" / "below") == ()


def test_counts_whole_epochs_and_the_part_of_the_running_one():
    assert progress().done == pytest.approx(0.375)
    assert progress(finished=True).done == 1.0
    assert progress(max_epochs=0).done == 0.0
    assert progress(epoch=4, fraction=0.5).done == 1.0


def test_the_time_left_follows_from_the_pace_so_far():
    assert progress(epoch=1, fraction=0.0).remaining_s == pytest.approx(90.0)
    assert progress(epoch=0, fraction=0.0).remaining_s is None
