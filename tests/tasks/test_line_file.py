import logging
import subprocess
import sys
from pathlib import Path

import pytest

from mixmatch.errors import WorkspaceError
from tasks.line_file import LineFile

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def lines(tmp_path):
    return LineFile(tmp_path / "rows.jsonl")


def test_a_file_that_is_not_there_has_no_lines(lines):
    assert lines.read() == []


def test_lines_come_back_in_order(lines):
    assert lines.append('{"a": 1}')
    assert lines.append('{"a": 2}')
    assert lines.read() == [b'{"a": 1}', b'{"a": 2}']
    assert lines.path.read_bytes() == b'{"a": 1}\n{"a": 2}\n'


def test_a_torn_last_line_is_not_read(lines, caplog):
    lines.path.write_bytes(b'{"a": 1}\n{"a": 2')
    with caplog.at_level(logging.WARNING):
        assert lines.read() == [b'{"a": 1}']
    assert "ends in a torn line of 7 bytes: ignored." in caplog.text
    assert lines.path.read_bytes() == b'{"a": 1}\n{"a": 2'


def test_a_torn_last_line_is_cut_off_before_the_next(lines, caplog):
    lines.path.write_bytes(b'{"a": 1}\n{"a": 2')
    with caplog.at_level(logging.WARNING):
        lines.append('{"a": 3}')
    assert "ends in a torn line of 7 bytes: cut off." in caplog.text
    assert lines.path.read_bytes() == b'{"a": 1}\n{"a": 3}\n'


def test_zeros_that_a_power_cut_left_are_a_torn_line(lines):
    lines.path.write_bytes(b'{"a": 1}\n\0\0\0\0')
    lines.append('{"a": 3}')
    assert lines.path.read_bytes() == b'{"a": 1}\n{"a": 3}\n'


def test_a_whole_last_line_that_only_lacks_its_end_is_kept(lines, caplog):
    lines.path.write_bytes(b'{"a": 1}\n{"a": 2}')
    assert lines.read() == [b'{"a": 1}', b'{"a": 2}']
    lines.append('{"a": 3}')
    assert lines.path.read_bytes() == b'{"a": 1}\n{"a": 2}\n{"a": 3}\n'
    assert caplog.text == ""


def test_a_refused_line_is_not_added_and_the_lines_are_shown_to_who_refuses(lines):
    lines.append('{"a": 1}')
    seen = []
    assert not lines.append('{"a": 2}', unless=lambda there: seen.append(list(there)) or True)
    assert seen == [[b'{"a": 1}']]
    assert lines.read() == [b'{"a": 1}']


def test_a_folder_in_its_place_is_said_in_one_sentence(tmp_path):
    with pytest.raises(WorkspaceError, match=r"must be a file that can be read and written \(Is a"):
        LineFile(tmp_path).append("{}")


APPENDER = """
import json, pathlib, sys
from tasks.line_file import LineFile
lines = LineFile(pathlib.Path(sys.argv[1]))
for number in range(100):
    lines.append(json.dumps({"who": sys.argv[2], "number": number, "filling": "x" * 3000}))
"""


def test_two_processes_that_append_at_once_lose_and_mix_nothing(lines):
    import json

    running = [
        subprocess.Popen([sys.executable, "-c", APPENDER, str(lines.path), who], cwd=ROOT)
        for who in "ab"
    ]
    assert [process.wait() for process in running] == [0, 0]
    read = [json.loads(line) for line in lines.read()]
    assert len(read) == 200
    for who in "ab":
        assert [x["number"] for x in read if x["who"] == who] == list(range(100))
