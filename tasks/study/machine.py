"""What wrote a result down: processor and versions, for tables that several machines fill."""

import platform
from importlib.metadata import version

from mixmatch.records import Record
from tasks.host import num_processors, processor

_PACKAGES = ("mixmatch", "torch", "torchvision", "timm", "numpy", "scipy", "scikit-learn", "pillow")


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
        parts = [processor(), f"{num_processors()} cores"]
        if device != "cpu":
            import torch  # noqa: PLC0415  takes seconds to load

            parts += [torch.cuda.get_device_name()] if torch.cuda.is_available() else []
        versions = {"python": platform.python_version(), **{x: version(x) for x in _PACKAGES}}
        return cls(hardware=", ".join(parts), versions=versions)
