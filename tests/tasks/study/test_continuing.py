import pytest

from mixmatch.config import EngineSettings
from mixmatch.errors import ConfigError
from mixmatch.records import Execution
from tasks.study.continuing import check_same_data, check_same_execution
from tasks.study.folder import StudyFolder

CPU = {"device": "cpu", "precision": "float32", "threads_per_job": 1}


def execution(**changes):
    values = {"device": "cpu", "precision": "float32", "threads": 1, "small_convolutions": "native"}
    return Execution.model_validate({"versions": {}} | values | changes)


@pytest.fixture
def folder(tmp_path, study_config):
    return StudyFolder.open(tmp_path, study_config)


def test_a_study_without_rows_takes_any_data(folder):
    check_same_data(folder, "e" * 64)


def test_the_data_must_be_those_of_a_row(folder, study_rows):
    folder.append(study_rows[0])
    check_same_data(folder, "d" * 64)
    with pytest.raises(
        ConfigError,
        match=r"^data must be what the rows in .* were measured on \(dddddddddddd\), got data with "
        r"digest eeeeeeeeeeee; other data need a new folder\.$",
    ):
        check_same_data(folder, "e" * 64)


def test_a_study_of_two_data_files_may_go_on_with_either(folder, study_rows):
    folder.append(study_rows[0])
    folder.append(study_rows[1].model_copy(update={"data_digest": "e" * 64}))
    for digest in ("d" * 64, "e" * 64):
        check_same_data(folder, digest)


def test_equal_arithmetic_may_continue_a_study(folder, study_rows):
    check_same_execution(folder, EngineSettings(**CPU))
    folder.append(study_rows[0])  # a base says nothing
    folder.append(study_rows[1].model_copy(update={"execution": execution()}))
    check_same_execution(folder, EngineSettings(**CPU))


@pytest.mark.parametrize(
    ("kept", "engine", "sentence"),
    [
        ({"precision": "bfloat16"}, {}, r"precision must come to bfloat16, as .*, got float32;"),
        ({"threads": 2}, {}, r"threads_per_job must come to 2, as .*, got 1;"),
        ({}, {"threads_per_job": 3}, r"threads_per_job must come to 1, as .*, got 3;"),
        ({}, {"compile": True}, r"compile must come to False, as .*, got True; it changes results"),
        ({"device": "cuda"}, {}, r"device must come to cuda, as .*, got cpu; it changes results"),
    ],
)
def test_other_arithmetic_is_refused(folder, study_rows, kept, engine, sentence):
    folder.append(study_rows[1].model_copy(update={"execution": execution(**kept)}))
    with pytest.raises(ConfigError, match=rf"^engine\.{sentence}"):
        check_same_execution(folder, EngineSettings(**(CPU | engine)))


def test_auto_counts_as_what_it_comes_to_here(folder, study_rows):
    folder.append(study_rows[1].model_copy(update={"execution": execution(precision="float16")}))
    settings = EngineSettings(**(CPU | {"precision": "auto"}))
    with pytest.raises(ConfigError, match=r"got auto, which comes to b?float\d\d here; it changes"):
        check_same_execution(folder, settings)
