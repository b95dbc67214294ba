"""What wrote a result down: processor and versions, for tables that several machines fill."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

from mixmatch.records import Record

_PACKAGES = ("mixmatch", "torch", "torchvision", "timm", "numpy", "scipy", "scikit-learn", "pillow")
_CPU_FACTS = Path("/proc/cpuinfo")


class Machine(Record):
    """A machine as a results folder knows it: without its name and its paths.

    Attributes:
        hardware: processor, usable cores, and the accelerator if it computed.
        versions: of Python and of the packages that decide a result.
    """

    hardware: str
    versions: dict[str, str]

    @classmethod
    def here(cls, device: str = "cpu") -> "Machine":
        """Describe this machine.

        Args:
            device: as in the run file: an accelerator is named unless it is ``cpu``.
        """
        parts = [_processor(), f"{_num_cores()} cores"]
        if device != "cpu":
            import torch  # noqa: PLC0415  takes seconds to load

            parts += [torch.cuda.get_device_name()] if torch.cuda.is_available() else []
        versions = {"python": platform.python_version(), **{x: version(x) for x in _PACKAGES}}
        return cls(hardware=", ".join(parts), versions=versions)


def _processor() -> str:
    """Return the processor's name; Linux knows it, Python itself only the instruction set."""
    if _CPU_FACTS.is_file():
        for line in _CPU_FACTS.read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return " ".join(value.split())
    return platform.processor() or platform.machine()


def _num_cores() -> int:
    # A container or taskset may grant fewer than the machine has.
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return usable or 1
