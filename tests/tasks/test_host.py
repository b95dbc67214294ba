import os
import platform

import pytest

from tasks import host
from tasks.host import host_record, num_processors, processor


def test_a_host_is_its_processor_its_system_and_the_versions_that_compute():
    here = host_record()
    assert here.processor == processor()
    assert here.num_processors == num_processors() >= 1
    assert here.system == f"{platform.system()} {platform.machine()}"
    assert set(here.versions) == {"python", "torch", "timm", "onnx", "onnxruntime"}


def test_the_processor_is_the_one_that_the_system_names(tmp_path, monkeypatch):
    facts = tmp_path / "cpuinfo"
    facts.write_text("processor\t: 0\nmodel name\t: Some  CPU @ 2 GHz\nmodel name\t: B\n")
    monkeypatch.setattr(host, "_CPU_FACTS", facts)
    assert processor() == "Some CPU @ 2 GHz"


@pytest.mark.parametrize("facts", [None, "processor\t: 0\nmodel name\t:\n"])
def test_a_system_that_names_none_has_its_instruction_set(tmp_path, monkeypatch, facts):
    if facts:
        (tmp_path / "cpuinfo").write_text(facts)
    monkeypatch.setattr(host, "_CPU_FACTS", tmp_path / "cpuinfo")
    monkeypatch.setattr(host.platform, "processor", lambda: "")
    monkeypatch.setattr(host.platform, "machine", lambda: "riscv64")
    assert processor() == "riscv64"


def test_processors_that_are_withheld_do_not_count(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert num_processors() == 2
