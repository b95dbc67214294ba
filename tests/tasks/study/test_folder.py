import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from mixmatch.config import RunConfig
from mixmatch.errors import ConfigError, WorkspaceError
from mixmatch.records import RivalPlan, RivalsRecord
from tasks.run_file import load_run_file
from tasks.study.folder import StudyFolder
from tasks.study.machine import Machine

ROOT = Path(__file__).resolve().parents[3]
MACHINE = Machine(hardware="Some CPU, 2 cores", versions={})
RIVALS = RivalsRecord(
    plans=(RivalPlan(rival="MAG", sparsity=0.599, seed=None, num_pruned={"conv1": 9, "fc": 590}),)
)


@pytest.fixture
def folder(tmp_path, study_config):
    return StudyFolder.open(tmp_path / "results", study_config)


def changed(config, **values):
    return RunConfig.model_validate(config.model_dump(by_alias=True) | values)


def test_rows_come_back_as_they_went(folder, study_rows):
    assert all(folder.append(row) for row in study_rows)
    assert folder.rows() == study_rows
    assert "MAG@0.599/1" in folder.labels()


def test_a_second_row_of_one_label_is_dropped(folder, study_rows):
    folder.append(study_rows[3])
    assert not folder.append(study_rows[3].model_copy(update={"seconds": 99.0}))
    assert [row.seconds for row in folder.rows()] == [10.0]


def test_of_equal_labels_in_the_file_the_first_counts(folder, study_rows):
    lines = [study_rows[3], study_rows[3].model_copy(update={"seconds": 99.0})]
    text = "".join(f"{row.model_dump_json()}\n" for row in lines)
    (folder.path / "rows.jsonl").write_text(text)
    assert [row.seconds for row in folder.rows()] == [10.0]


def test_a_base_that_was_trained_again_stands_beside_the_first(folder, study_rows):
    assert folder.append(study_rows[0])
    assert folder.append(study_rows[0].model_copy(update={"base_digest": "c" * 64}))
    assert not folder.append(study_rows[0])
    assert [row.base_digest[0] for row in folder.rows()] == ["b", "c"]


def test_a_row_that_was_torn_is_computed_again(folder, study_rows, caplog):
    folder.append(study_rows[0])
    rows = folder.path / "rows.jsonl"
    with rows.open("ab") as file:
        file.write(study_rows[1].model_dump_json().encode()[:-40])
    with caplog.at_level(logging.WARNING):
        assert folder.rows() == study_rows[:1]
        assert folder.append(study_rows[1])
    assert "torn line" in caplog.text
    assert folder.rows() == study_rows[:2]


def test_a_corrupt_line_in_the_middle_is_named(folder, study_rows):
    for row in study_rows[:3]:
        folder.append(row)
    rows = folder.path / "rows.jsonl"
    lines = rows.read_text().splitlines()
    lines[1] = lines[1].replace('"kind":"dense"', '"kind":"dens"')
    rows.write_text("\n".join(lines) + "\n")
    with pytest.raises(
        WorkspaceError, match=r"rows.jsonl must hold a StudyRow on every line, but "
    ):
        folder.rows()
    with pytest.raises(WorkspaceError, match=r"line 2 is none \(kind: Input should be 'base', "):
        folder.append(study_rows[3])


APPENDER = """
import pathlib, sys
from tasks.study.folder import StudyFolder
from tasks.run_file import load_run_file
from tasks.study.row import StudyRow
folder = StudyFolder.open(pathlib.Path(sys.argv[1]), load_run_file(pathlib.Path(sys.argv[2])))
first = StudyRow.model_validate_json(sys.argv[3])
added = [folder.append(first.model_copy(update={"seed": seed})) for seed in range(20)]
print(sum(added))
"""


def test_two_processes_may_open_and_fill_one_study(tmp_path, study_rows, study_config):
    run_file, results = tmp_path / "run.yaml", tmp_path / "results"
    run_file.write_text(json.dumps(study_config.model_dump(mode="json", by_alias=True)))
    arguments = [str(results), str(run_file), study_rows[3].model_dump_json()]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", APPENDER, *arguments], cwd=ROOT, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    added = [int(process.communicate()[0]) for process in running]
    assert sum(added) == 20
    rows = StudyFolder.open(results, study_config).rows()
    assert sorted(row.seed for row in rows) == list(range(20))
    assert len((results / "rows.jsonl").read_text().splitlines()) == 20


def test_a_study_says_what_it_is(folder):
    facts = json.loads((folder.path / "study.json").read_text())
    assert facts["schema"] == 1
    assert facts["name"] == "digits-resnet18"
    assert facts["settings"]["seeds"] == [0, 1]
    assert "engine" not in facts["settings"]
    assert set(facts["versions"]) >= {"python", "mixmatch", "torch", "timm"}
    assert facts["hardware"].endswith("cores")


def test_its_settings_are_a_run_file_that_means_the_same_study(folder):
    config = load_run_file(folder.path / "settings.yaml")
    again = StudyFolder.open(folder.path, config)
    assert again.facts == folder.facts


def test_settings_that_a_killed_process_did_not_write_are_written_later(folder, study_config):
    place = folder.path / "settings.yaml"
    before = place.read_text()
    place.unlink()
    StudyFolder.open(folder.path, study_config)
    assert place.read_text() == before
    place.write_text("# mine\n")
    StudyFolder.open(folder.path, study_config)
    assert place.read_text() == "# mine\n"


def test_where_and_under_what_name_it_is_computed_may_differ(folder, study_config):
    engine = {"workers": 2, "device": "cpu"}
    other = changed(
        study_config, name="other", engine=engine, store="elsewhere", register={"enabled": False}
    )
    assert StudyFolder.open(folder.path, other).facts == folder.facts


def test_other_settings_are_refused_with_both_values(folder, study_config):
    settings = study_config.fine_tune.model_copy(update={"max_epochs": 1})
    other = study_config.model_copy(update={"fine_tune": settings, "seeds": (5,)})
    with pytest.raises(ConfigError, match=r"^--results must name a new folder or a study with the"):
        StudyFolder.open(folder.path, other)
    with pytest.raises(ConfigError, match=r" fine_tune.max_epochs is 20, and here it is 1\.$"):
        StudyFolder.open(folder.path, other)


def test_a_setting_that_the_study_does_not_know_yet_has_its_default(folder, study_config):
    place = folder.path / "study.json"
    facts = json.loads(place.read_text())
    del facts["settings"]["target_sparsity"]
    place.write_text(json.dumps(facts))
    StudyFolder.open(folder.path, study_config)


def test_a_study_of_another_version_is_refused(folder, study_config):
    place = folder.path / "study.json"
    place.write_text(place.read_text().replace('"schema": 1', '"schema": 2'))
    with pytest.raises(WorkspaceError, match=r"must have schema 1, got 2; another version wrote"):
        StudyFolder.open(folder.path, study_config)


def test_files_of_somebody_else_are_never_replaced(tmp_path, study_config):
    (tmp_path / "README.md").write_text("my own")
    with pytest.raises(ConfigError, match=r"must name a folder of a study .* with README.md\.$"):
        StudyFolder.open(tmp_path, study_config)
    assert [x.name for x in tmp_path.iterdir()] == ["README.md"]


def test_a_run_file_may_lie_in_the_folder(tmp_path, study_config):
    (tmp_path / "run.yaml").write_text("")
    assert StudyFolder.open(tmp_path, study_config).rows() == ()


def test_a_file_in_the_place_of_the_folder_is_said(tmp_path, study_config):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        WorkspaceError, match=r"--results must be a folder that can be written, got"
    ):
        StudyFolder.open(tmp_path / "file", study_config)


def test_the_plan_that_was_there_first_stays(folder, study_plan):
    assert folder.plan() is None
    first = folder.save_plan(study_plan, RIVALS)
    other = study_plan.model_copy(update={"normalization_layers": ()})
    assert folder.save_plan(other, None) == first == folder.plan()
    assert (first.plan, first.rivals) == (study_plan, RIVALS)


def test_a_session_is_noted_even_if_it_ends_with_an_error(folder):
    with pytest.raises(KeyError, match="why"), folder.session(MACHINE):
        raise KeyError("why")
    with folder.session(MACHINE):
        (first, second) = folder.sessions()
        assert (second.ended_at, second.seconds, second.succeeded) == (None, None, None)
    (first, second) = folder.sessions()
    assert (first.succeeded, second.succeeded) == (False, True)
    assert first.seconds >= 0
    assert first.hardware == "Some CPU, 2 cores"


def test_a_study_is_complete_once_every_result_and_int8_file_is_there(
    folder, study_rows, study_plan, make_int8_row
):
    folder.save_plan(study_plan, RIVALS)
    for row in study_rows:
        assert not folder.is_complete()
        folder.append(row)
    for label in sorted(folder.missing_int8()):
        assert not folder.is_complete()
        folder.append_int8(make_int8_row(label, "1111111111"))
    assert folder.is_complete()


def test_a_study_without_int8_files_is_complete_before_them(
    tmp_path, study_rows, study_plan, study_config
):
    folder = StudyFolder.open(tmp_path / "c", changed(study_config, quantize="none"))
    folder.save_plan(study_plan, RIVALS)
    for row in study_rows:
        folder.append(row)
    assert folder.is_complete()
    # The same study may be continued for them.
    assert not StudyFolder.open(tmp_path / "c", study_config).is_complete()
    assert "quantize: none\n" in (tmp_path / "c/settings.yaml").read_text()


def test_of_two_int8_files_of_one_result_the_first_stays(folder, make_int8_row):
    folder.append_int8(make_int8_row("balanced/magnitude/0", "1111100000"))
    folder.append_int8(make_int8_row("balanced/magnitude/0", "1111111111"))
    assert [row.test.value for row in folder.int8().values()] == [0.5]
    assert len((folder.path / "int8.jsonl").read_text().splitlines()) == 1


def test_a_study_without_its_plan_is_not_known_to_be_complete(folder, study_rows):
    for row in study_rows:
        folder.append(row)
    assert not folder.is_complete()


def test_under_a_budget_every_seed_has_a_row_too(tmp_path, study_rows, study_plan, study_config):
    settings = study_config.fine_tune.model_dump() | {"budget": {"epochs": 3}}
    config = changed(study_config, fine_tune=settings, quantize="none")
    folder = StudyFolder.open(tmp_path / "b", config)
    folder.save_plan(study_plan, RIVALS)
    for row in study_rows:
        assert not folder.is_complete()
        folder.append(row)
    assert folder.is_complete()
