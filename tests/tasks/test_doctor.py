from collections import namedtuple

import psutil
import pytest

import tasks.doctor
from tasks.doctor import diagnose


def by_name(root):
    return {finding.name: finding for finding in diagnose(root)}


def test_this_installation_is_sound(tmp_path):
    findings = by_name(tmp_path / "ws")
    assert not [x for x in findings.values() if x.status == "fail"]
    assert findings["workspace"].sentence == f"{tmp_path / 'ws'} can be written."
    assert findings["mlflow database"].sentence == "not there yet; the first run creates it."


def test_a_workspace_below_a_file_fails(tmp_path):
    (tmp_path / "file").write_text("")
    finding = by_name(tmp_path / "file" / "ws")["workspace"]
    assert finding.status == "fail"
    assert "must be a folder that can be written (Not a directory)" in finding.sentence


@pytest.mark.parametrize(
    ("found", "status"), [("0.150.9", "ok"), ("0.151.0", "fail"), ("1.0", "fail")]
)
def test_a_version_that_breaks_prefect_fails(monkeypatch, tmp_path, found, status):
    monkeypatch.setattr(tasks.doctor, "version", lambda _: found)
    finding = by_name(tmp_path)["fastapi"]
    assert finding.status == status
    if status == "fail":
        assert finding.sentence == (
            f"{found} must be below 0.151, else every Prefect flow dies at its start: "
            "run make install."
        )


def test_little_room_is_a_warning_and_none_a_failure(monkeypatch, tmp_path):
    usage = namedtuple("usage", "free")
    found = []
    for free in (1e11, 1e9, 1e8):
        monkeypatch.setattr(tasks.doctor.shutil, "disk_usage", lambda _, free=free: usage(free))
        found.append(by_name(tmp_path)["disk"].status)
    assert found == ["ok", "warn", "fail"]


def test_little_memory_is_a_warning(monkeypatch, tmp_path):
    memory = namedtuple("memory", "available total")(1e9, 4e9)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    sentence = "1.0 GB free of 4.0 GB; use engine.workers=1."
    assert by_name(tmp_path)["memory"].sentence == sentence


def test_the_store_is_tried(tmp_path):
    findings = by_name(tmp_path / "ws")
    store = tmp_path / "ws" / "store"
    assert [findings[f"store {x}"].sentence for x in ("write", "read", "once")] == [
        f"{store} can be written.",
        f"{store} returns what was written.",
        f"{store} refuses to overwrite what is created only once.",
    ]


def test_a_store_that_cannot_be_written_fails(tmp_path):
    (tmp_path / "file").write_text("")
    found = list(diagnose(tmp_path / "ws", str(tmp_path / "file")))
    assert found[-1].name == "store write"
    assert found[-1].status == "fail"
    assert found[-1].sentence.startswith(f"{tmp_path / 'file'} must be writable, but: ")
