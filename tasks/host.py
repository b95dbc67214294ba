"""The machine that this process runs on: its processor and versions, never its name or paths."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

from mixmatch.records import HostRecord

_CPU_FACTS = Path("/proc/cpuinfo")
_PACKAGES = ("torch", "timm", "onnx", "onnxruntime")


def host_record() -> HostRecord:
    """Describe this machine as the place where something is timed; loads none of the packages."""
    versions = {name: version(name).partition("+")[0] for name in _PACKAGES}
    return HostRecord(
        processor=processor(),
        num_processors=num_processors(),
        system=f"{platform.system()} {platform.machine()}",
        versions={"python": platform.python_version(), **versions},
    )


def processor() -> str:
    """Return the processor's name; Linux knows it, Python itself only the instruction set."""
    if _CPU_FACTS.is_file():
        for line in _CPU_FACTS.read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return " ".join(value.split())
    return platform.processor() or platform.machine()


def num_processors() -> int:
    """Count the logical processors that this process may use."""
    # A container or taskset may grant fewer than the machine has.
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return usable or 1
