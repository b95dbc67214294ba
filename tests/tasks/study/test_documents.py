import pytest

from mixmatch.errors import WorkspaceError
from mixmatch.records import Artifact
from tasks.study.documents import keep_document, read_document, read_lines

ARTIFACT = Artifact(digest="a" * 64, size_bytes=7)


@pytest.fixture
def place(tmp_path):
    return tmp_path / "artifact.json"


def test_a_document_comes_back_and_is_never_replaced(place):
    assert keep_document(place, ARTIFACT)
    assert not keep_document(place, ARTIFACT.model_copy(update={"size_bytes": 8}))
    assert read_document(place, Artifact) == ARTIFACT


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", r"artifact.json must hold JSON \("),
        ("[]", r"artifact.json must have schema 1, got None; another version wrote it\."),
        ('{"schema": 1}', r"artifact.json must hold a Artifact \(digest: Field required\)\."),
    ],
)
def test_a_damaged_document_is_said_in_one_sentence(place, text, sentence):
    place.write_text(text)
    with pytest.raises(WorkspaceError, match=sentence):
        read_document(place, Artifact)


def test_a_document_that_is_not_there_is_said(place):
    with pytest.raises(WorkspaceError, match=r"must be readable \(No such file or directory\)\."):
        read_document(place, Artifact)


def test_no_file_has_no_lines_and_a_damaged_line_its_number(place):
    assert read_lines(place, Artifact) == []
    place.write_text(f'{ARTIFACT.model_dump_json()}\n{{"digest": 3}}\n')
    with pytest.raises(WorkspaceError, match=r"on every line, but line 2 is none \(digest: Input"):
        read_lines(place, Artifact)
