"""Pruned networks on disk: packed files (docs/packed-format.md).

A valid safetensors file that holds what is left of each pruned weight, and what is needed to build
the network. Reading one runs no code that the file brings. Names are imported when they are first
used: a header is read without torch, which takes a second.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mixmatch.packed.layout import PackedHeader as PackedHeader
    from mixmatch.packed.loading import load_packed as load_packed
    from mixmatch.packed.opened import read_header as read_header
    from mixmatch.packed.reading import PackedFile as PackedFile
    from mixmatch.packed.reading import read_packed as read_packed
    from mixmatch.packed.saving import save_packed as save_packed
    from mixmatch.packed.saving import save_packed_state as save_packed_state

_HOME = {
    "PackedFile": "reading",
    "PackedHeader": "layout",
    "load_packed": "loading",
    "read_header": "opened",
    "read_packed": "reading",
    "save_packed": "saving",
    "save_packed_state": "saving",
}

__all__ = [*_HOME]  # noqa: PLE0604  the names of a literal table


def __getattr__(name: str) -> object:
    """Import a public name from its module."""
    if name not in _HOME:
        raise AttributeError(f"module 'mixmatch.packed' has no attribute {name!r}")
    return getattr(import_module(f"mixmatch.packed.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
