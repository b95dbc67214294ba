"""What a Dask worker knows about itself; it is sent by name, so the worker needs our package."""

import os
import socket
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

_PACKAGES = ("mixmatch", "torch", "timm")
_CONNECT_S = 3.0
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """What the flow must know of a worker before it sends jobs there.

    Attributes:
        versions: of the packages that decide what a job comes to.
        seen: which of the folders that were asked for exist and can be written.
        reaches_api: whether Prefect's server accepts its connections.
    """

    versions: dict[str, str]
    seen: tuple[str, ...]
    reaches_api: bool


def worker_facts(folders: tuple[str, ...], api_url: str) -> WorkerFacts:
    """Look around in this process.

    Args:
        folders: paths on the flow's machine, which may be shared.
        api_url: of Prefect's server, as the flow knows it.
    """
    seen = tuple(x for x in folders if Path(x).is_dir() and os.access(x, os.W_OK))
    return WorkerFacts(own_versions(), seen, _accepts(api_url))


def own_versions() -> dict[str, str]:
    """Return the versions of this process's packages, without the suffix of their build."""
    return {name: version(name).partition("+")[0] for name in _PACKAGES}


def _accepts(url: str) -> bool:
    parts = urlsplit(url)
    place = (parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0))
    try:
        with socket.create_connection(place, timeout=_CONNECT_S):
            return True
    except OSError:
        return False
