import pytest

from mixmatch.errors import WorkspaceError
from tasks.study.files import write_once, write_text, write_whole


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    write_text(tmp_path / "a.txt", "one")
    write_text(tmp_path / "a.txt", "zwölf")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "zwölf"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_the_first_writer_wins(tmp_path):
    assert write_once(tmp_path / "a.txt", "one")
    assert not write_once(tmp_path / "a.txt", "two")
    assert (tmp_path / "a.txt").read_text() == "one"


def test_a_failed_write_keeps_what_was_there(tmp_path):
    write_text(tmp_path / "a.txt", "one")

    def fail(place):
        place.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(WorkspaceError, match=r"a.txt must be a file that can be written \(No spac"):
        write_whole(tmp_path / "a.txt", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "one"


def test_a_folder_that_is_missing_is_said(tmp_path):
    with pytest.raises(WorkspaceError, match=r"a.txt must be a file that can be written"):
        write_text(tmp_path / "nothing" / "a.txt", "one")
