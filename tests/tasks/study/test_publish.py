import shutil

from tasks.study.folder import FIGURES, PAGE, TABLES, StudyFolder
from tasks.study.publish import publish


def test_everything_is_made_again_from_the_rows_alone(
    tmp_path, study_config, study_rows, study_plan
):
    folder = StudyFolder.open(tmp_path / "first", study_config)
    folder.save_plan(study_plan, None)
    for row in study_rows:
        folder.append(row)
    tables = publish(folder)
    made = {name: (folder.path / name).read_bytes() for name in (PAGE, *TABLES, *FIGURES)}
    for name in made:
        (folder.path / name).unlink()
    shutil.copytree(folder.path, tmp_path / "moved")
    moved = StudyFolder.open(tmp_path / "moved", study_config)
    assert publish(moved) == tables
    assert {name: (moved.path / name).read_bytes() for name in made} == made


def test_a_study_without_results_has_a_page(tmp_path, study_config):
    folder = StudyFolder.open(tmp_path, study_config)
    publish(folder)
    assert (tmp_path / PAGE).is_file()
    assert not (tmp_path / "accuracy.svg").exists()
