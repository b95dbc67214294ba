"""A user's own network: the factory that a run file names as ``package.module:factory``.

The module is imported from where Python finds it, with the current working directory first, as
``python -m`` would. Only names from a run file, or from a record made from one, come here.
"""

import hashlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from mixmatch.errors import ConfigError
from mixmatch.records import ModelSpec

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class ModuleSource:
    """The source file of a factory's module, as it was when this process imported it.

    Attributes:
        path: the file.
        content: its bytes.
        digest: SHA-256 of these bytes, 64 hexadecimal characters.
    """

    path: Path
    content: bytes
    digest: str


def is_factory(architecture: str) -> bool:
    """Say whether a run file's architecture is a user's own, ``package.module:factory``."""
    return ":" in architecture


def factories_named(value: object) -> Iterator[str]:
    """Yield every factory that the JSON of a lineage or record names, at any depth.

    What is computed from records builds the networks that they name; who takes them from elsewhere
    asks this first.
    """
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            name = one.get("architecture")
            if isinstance(name, str) and is_factory(name):
                yield name
            todo += one.values()
        elif isinstance(one, list | tuple):
            todo += one


def find_factory(name: str) -> "Callable[..., nn.Module]":
    """Import the module of ``package.module:factory`` and return the factory.

    Raises:
        ConfigError: there is no such module or attribute, the import fails, the module has no
            source file, or the attribute cannot be called.
    """
    module, _ = _module(name)
    attribute = name.partition(":")[2]
    if not hasattr(module, attribute):
        raise ConfigError(
            f"model.architecture must name a factory of its module, got {name!r}, and "
            f"{module.__name__} has no {attribute}."
        )
    found = getattr(module, attribute)
    if not callable(found):
        raise ConfigError(
            "model.architecture must name a function or class that returns a network, got "
            f"{name!r}, which is a {type(found).__name__}."
        )
    factory: Callable[..., nn.Module] = found
    return factory


def factory_of(spec: ModelSpec) -> "Callable[..., nn.Module] | None":
    """Return the factory that ``spec`` names; None where it names a known architecture.

    Raises:
        ConfigError: as ``find_factory``, or the source is not that which ``spec`` was made with.
    """
    if not is_factory(spec.architecture):
        return None
    _check_digest(spec)
    return find_factory(spec.architecture)


def code_digest(architecture: str) -> str | None:
    """Return the SHA-256 of the source file of a factory's module; None for a known architecture.

    Other files of the user's own that the module imports are not covered: after a change to one of
    them, what was computed before is still found.

    Raises:
        ConfigError: as ``find_factory``.
    """
    return _module(architecture)[1].digest if is_factory(architecture) else None


def module_source(spec: ModelSpec) -> ModuleSource:
    """Return the source file of the module that ``spec``, of a factory, names.

    Raises:
        ConfigError: as ``factory_of``.
    """
    _check_digest(spec)
    return _module(spec.architecture)[1]


def _check_digest(spec: ModelSpec) -> None:
    source = _module(spec.architecture)[1]
    if spec.code_digest != source.digest:
        raise ConfigError(
            f"The source of {spec.architecture!r} must be the one that the network was made with, "
            f"of digest {spec.code_digest}, but {source.path.name} has {source.digest}."
        )


def _module(name: str) -> tuple[ModuleType, ModuleSource]:
    return _imported(name.partition(":")[0], os.getcwd())


@cache  # a module is imported once, and its file may be edited while the process lives
def _imported(name: str, folder: str) -> tuple[ModuleType, ModuleSource]:
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:  # a user's code raises whatever it likes
        raise ConfigError(_import_failure(name, error)) from error
    path = Path(getattr(module, "__file__", None) or "")
    if path.suffix != ".py":
        raise ConfigError(
            f"model.architecture must name a module with a Python source file, got {name}, "
            "which has none."
        )
    content = path.read_bytes()
    return module, ModuleSource(path, content, hashlib.sha256(content).hexdigest())


def _import_failure(name: str, error: BaseException) -> str:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing is not None and f"{name}.".startswith(f"{missing}."):
        return (
            f"model.architecture must name a module that can be imported, got {name}, and there is "
            f"no {missing} in the current folder or on Python's path."
        )
    reason = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    return (
        f"model.architecture must name a module that can be imported, but importing {name} raised "
        f"{type(error).__name__}: {reason}."
    )
