import pytest

from tasks.study import machine
from tasks.study.machine import Machine


def test_names_processor_and_cores_and_versions():
    here = Machine.here()
    assert here.hardware.endswith(" cores")
    assert set(here.versions) >= {"python", "mixmatch", "torch", "timm"}


@pytest.mark.parametrize(
    ("text", "name"), [("model name\t: Some  CPU @ 2 GHz\nmodel name\t: B\n", "Some CPU @ 2 GHz")]
)
def test_the_processor_is_the_one_that_the_system_names(tmp_path, monkeypatch, text, name):
    facts = tmp_path / "cpuinfo"
    facts.write_text(text)
    monkeypatch.setattr(machine, "_CPU_FACTS", facts)
    assert Machine.here().hardware.startswith(f"{name}, ")


def test_a_system_that_names_none_has_its_instruction_set(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_CPU_FACTS", tmp_path / "nothing")
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    monkeypatch.setattr(machine.platform, "machine", lambda: "riscv64")
    assert Machine.here().hardware.startswith("riscv64, ")
