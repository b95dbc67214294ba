"""A registered network as a file of its own: the packed bytes, or plain dense weights for torch.

To add a format: its writer here, and a line in ``FORMATS``.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from safetensors import SafetensorError

from mixmatch.digests import file_digest
from mixmatch.errors import ConfigError, WorkspaceError
from mixmatch.records import ModelSpec, Record
from tasks.site import Site
from tasks.tracking import download_packed

# What a dense file tells of its network; each value is JSON, as metadata holds strings only.
_METADATA = ("architecture", "arguments", "mean", "std", "classes")


class ExportSummary(Record):
    """What ``mixmatch export --json`` prints; keys may be added, never renamed or removed.

    Attributes:
        name: registered name.
        version: its number.
        format: a key of ``FORMATS``.
        file: absolute path of the file that was written.
        bytes: its length.
        digest: SHA-256 of its bytes.
        packed_digest: SHA-256 of the registry's packed file, which was checked.
    """

    name: str
    version: int
    format: str
    file: str
    bytes: int
    digest: str
    packed_digest: str


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file that a network can be exported as.

    Attributes:
        suffixes: those that such a file may have; empty: any.
        write: writes the network of a packed file (first) to a new file (second).
    """

    suffixes: tuple[str, ...]
    write: Callable[[Path, Path], object]


def export_model(
    site: Site, reference: str, to: Path, *, file_format: str, force: bool = False
) -> ExportSummary:
    """Write a registered network to ``to``, which appears complete or not at all.

    The network is not built: one of a user's own factory needs no import of that. Starts no server.

    Args:
        site: where the registry is.
        reference: ``NAME`` (its newest version), ``NAME@alias`` or ``NAME/version``.
        to: the file; what the suffixes mean is said at ``FORMATS``.
        file_format: a key of ``FORMATS``.
        force: replace a file that is there.

    Raises:
        ConfigError: as ``check_destination``.
        WorkspaceError: likewise, or the file cannot be written.
        RegistryError: there is no such model, alias or version, or it is no network of mixmatch.
        CheckpointError: MLflow cannot read the version's files.
        ArtifactError: the registry's packed file is missing, or another than was registered.
        PackedFormatError: that file cannot be unpacked.
    """
    check_destination(to, file_format=file_format, force=force)
    with _scratch_beside(to) as scratch:
        registered = download_packed(site, reference, _folder(scratch, "registered"))
        # The right name from the start: torch writes it into the file.
        unfinished = _folder(scratch, "unfinished") / to.name
        with _writing(to):
            _write(FORMATS[file_format], registered.path, unfinished)
        summary = ExportSummary(
            name=registered.name,
            version=registered.version,
            format=file_format,
            file=str(to.absolute()),
            bytes=unfinished.stat().st_size,
            digest=file_digest(unfinished),
            packed_digest=registered.digest,
        )
        _check_free(to, force=force)  # again: a large network takes its time
        with _writing(to):
            os.replace(unfinished, to)
    return summary


def check_destination(to: Path, *, file_format: str, force: bool) -> None:
    """Check before any work that ``to`` is a right place for a file of this format.

    Raises:
        ConfigError: the format is unknown, or has files of another suffix.
        WorkspaceError: a file is there and ``force`` is not set, something that is no file is
            there, or its folder is missing.
    """
    if file_format not in FORMATS:
        raise ConfigError(f"--format must be {' or '.join(FORMATS)}, got {file_format!r}.")
    suffixes = FORMATS[file_format].suffixes
    if suffixes and to.suffix not in suffixes:
        raise ConfigError(
            f"--to must end in {' or '.join(suffixes)} with --format {file_format}, got {to}."
        )
    _check_free(to, force=force)
    if not os.path.isdir(to.parent):
        raise WorkspaceError(f"--to must name a file in a folder that exists, got {to}.")


def _check_free(to: Path, *, force: bool) -> None:
    if not os.path.lexists(to):
        return
    if not os.path.isfile(to):
        raise WorkspaceError(f"--to must name a regular file, got {to}, which is none.")
    if not force:
        raise WorkspaceError(
            f"--to must name a file that is not there yet, got {to}; --force replaces it."
        )


def _write(file_format: Format, packed: Path, to: Path) -> None:
    """Write ``to`` with the rights that the user's new files have, and force it to disk."""
    to.touch()
    mode = to.stat().st_mode
    file_format.write(packed, to)
    to.chmod(mode)  # safetensors lets nobody else read what it writes
    with to.open("rb") as opened:
        os.fsync(opened.fileno())  # else the rename could expose a torn file


def _write_packed(packed: Path, to: Path) -> None:
    shutil.copyfile(packed, to)


def _write_torch(packed: Path, to: Path) -> None:
    """Write the dense state: with its metadata as safetensors, or alone as a checkpoint."""
    import torch  # noqa: PLC0415  takes seconds
    from safetensors.torch import save_file  # noqa: PLC0415  needs torch

    from mixmatch.packed import read_packed  # noqa: PLC0415  needs torch

    content = read_packed(packed)
    if to.suffix == ".pt":
        torch.save(content.state, to)
    else:
        save_file(content.state, to, _metadata(content.spec))


def _metadata(spec: ModelSpec) -> dict[str, str]:
    described = spec.model_dump(mode="json", include=set(_METADATA))
    return {key: json.dumps(described[key]) for key in _METADATA}


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder


@contextmanager
def _scratch_beside(to: Path) -> Iterator[Path]:
    """Yield a folder on the file system of ``to`` that is removed at the end."""
    with _writing(to):
        folder = tempfile.TemporaryDirectory(dir=to.parent, prefix=".mixmatch-")
    with folder as scratch:
        yield Path(scratch)


@contextmanager
def _writing(to: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise WorkspaceError(
            f"--to must name a file that can be written, got {to} ({reason})."
        ) from error


# By the name that --format takes. Of torch, .safetensors holds the state and what _METADATA lists,
# .pt the state alone, for torch.load(weights_only=True).
FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "packed": Format(suffixes=(), write=_write_packed),
        "torch": Format(suffixes=(".safetensors", ".pt"), write=_write_torch),
    }
)
