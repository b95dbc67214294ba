"""A registered network as a file of its own: packed, dense weights for torch, or ONNX.

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
from mixmatch.records import ModelSpec
from tasks.export_summary import Agreement, ExportSummary
from tasks.site import Site
from tasks.tracking import RegisteredFile, download_packed

# What a dense file tells of its network; each value is JSON, as metadata holds strings only.
_METADATA = ("architecture", "arguments", "mean", "std", "classes")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a file is made from.

    Attributes:
        site: where the registry is.
        registered: the network's packed file, fetched and checked.
        values: kind of the values to write a packed file anew with; None: as it is.
        factory: ``package.module:factory`` that builds a user's own network.
    """

    site: Site
    registered: RegisteredFile
    values: str | None
    factory: str | None


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file that a network can be exported as.

    Attributes:
        suffixes: those that such a file may have; empty: any.
        write: writes a new file (second), and returns how an ONNX file agrees with torch.
        option: the one option that only some formats take, ``--values`` or ``--factory``.
    """

    suffixes: tuple[str, ...]
    write: Callable[[Wish, Path], Agreement | None]
    option: str | None = None


def export_model(
    site: Site,
    reference: str,
    to: Path,
    *,
    file_format: str,
    force: bool = False,
    values: str | None = None,
    factory: str | None = None,
) -> ExportSummary:
    """Write a registered network to ``to``, which appears complete or not at all.

    Only for ONNX is the network built; a user's own is imported by ``factory`` alone, never by what
    a file says. Starts no server.

    Args:
        site: where the registry is.
        reference: ``NAME`` (its newest version), ``NAME@alias`` or ``NAME/version``.
        to: the file; what the suffixes mean is said at ``FORMATS``.
        file_format: a key of ``FORMATS``.
        force: replace a file that is there.
        values: as ``Wish``.
        factory: as ``Wish``.

    Raises:
        ConfigError: as ``check_destination``, or torch cannot export the network as ONNX.
        WorkspaceError: likewise, or the file cannot be written.
        RegistryError: there is no such model, alias or version, or it is no network of mixmatch.
        CheckpointError: MLflow cannot read the version's files.
        ArtifactError: the registry's packed file is missing, or another than was registered; of
            ONNX, its data set is no longer there, or its logits are not those of torch.
        PackedFormatError: that file cannot be unpacked, or holds what ``values`` cannot.
    """
    check_destination(to, file_format=file_format, force=force, values=values, factory=factory)
    with _scratch_beside(to) as scratch:
        registered = download_packed(site, reference, _folder(scratch, "registered"))
        # The right name from the start: torch writes it into the file.
        unfinished = _folder(scratch, "unfinished") / to.name
        wish = Wish(site, registered, values, factory)
        with _writing(to):
            agreement = _write(FORMATS[file_format], wish, unfinished)
        summary = ExportSummary(
            name=registered.name,
            version=registered.version,
            format=file_format,
            file=str(to.absolute()),
            bytes=unfinished.stat().st_size,
            digest=file_digest(unfinished),
            packed_digest=registered.digest,
            values=values,
            agreement=agreement,
        )
        _check_free(to, force=force)  # again: a large network takes its time
        with _writing(to):
            os.replace(unfinished, to)
    return summary


def check_destination(
    to: Path,
    *,
    file_format: str,
    force: bool,
    values: str | None = None,
    factory: str | None = None,
) -> None:
    """Check before any work that ``to`` is a right place for a file of this format.

    Raises:
        ConfigError: the format or the values are unknown, the format has files of another suffix,
            or an option is given that is not for it.
        WorkspaceError: a file is there and ``force`` is not set, something that is no file is
            there, or its folder is missing.
    """
    if file_format not in FORMATS:
        raise ConfigError(f"--format must be {' or '.join(FORMATS)}, got {file_format!r}.")
    _check_options(file_format, {"--values": values, "--factory": factory})
    suffixes = FORMATS[file_format].suffixes
    if suffixes and to.suffix not in suffixes:
        raise ConfigError(
            f"--to must end in {' or '.join(suffixes)} with --format {file_format}, got {to}."
        )
    _check_free(to, force=force)
    if not os.path.isdir(to.parent):
        raise WorkspaceError(f"--to must name a file in a folder that exists, got {to}.")


def _check_options(file_format: str, given: Mapping[str, str | None]) -> None:
    for option, value in given.items():
        if value is not None and option != FORMATS[file_format].option:
            takers = [name for name, known in FORMATS.items() if known.option == option]
            raise ConfigError(
                f"{option} must be left out with --format {file_format}, got {value!r}; it is for "
                f"{' and '.join(takers)}."
            )
    values = given["--values"]
    if values is None:
        return
    from mixmatch.quantization import VALUE_KINDS  # noqa: PLC0415  loads torch

    if values not in VALUE_KINDS:
        raise ConfigError(f"--values must be {' or '.join(VALUE_KINDS)}, got {values!r}.")


def _check_free(to: Path, *, force: bool) -> None:
    if not os.path.lexists(to):
        return
    if not os.path.isfile(to):
        raise WorkspaceError(f"--to must name a regular file, got {to}, which is none.")
    if not force:
        raise WorkspaceError(
            f"--to must name a file that is not there yet, got {to}; --force replaces it."
        )


def _write(file_format: Format, wish: Wish, to: Path) -> Agreement | None:
    """Write ``to`` with the rights that the user's new files have, and force it to disk."""
    to.touch()
    mode = to.stat().st_mode
    agreement = file_format.write(wish, to)
    to.chmod(mode)  # safetensors lets nobody else read what it writes
    with to.open("rb") as opened:
        os.fsync(opened.fileno())  # else the rename could expose a torn file
    return agreement


def _write_packed(wish: Wish, to: Path) -> None:
    """Copy the registered bytes, or write the same network with other values."""
    packed = wish.registered.path
    if wish.values is None:
        shutil.copyfile(packed, to)
        return
    from mixmatch.packed import read_header, read_packed, save_packed_state  # noqa: PLC0415  torch

    prunable = [x.name for x in read_header(packed).tensors if x.num_nonzero is not None]
    content = read_packed(packed)
    save_packed_state(to, content.state, content.spec, prunable, values=wish.values)


def _write_torch(wish: Wish, to: Path) -> None:
    """Write the dense state: with its metadata as safetensors, or alone as a checkpoint."""
    import torch  # noqa: PLC0415  takes seconds
    from safetensors.torch import save_file  # noqa: PLC0415  needs torch

    from mixmatch.packed import read_packed  # noqa: PLC0415  needs torch

    content = read_packed(wish.registered.path)
    if to.suffix == ".pt":
        torch.save(content.state, to)
    else:
        save_file(content.state, to, _metadata(content.spec))


def _write_onnx(wish: Wish, to: Path) -> Agreement:
    from tasks.export_onnx import write_onnx  # noqa: PLC0415  loads torch and ONNX Runtime

    return write_onnx(wish.site, wish.registered, to, factory=wish.factory)


def _write_onnx_int8(wish: Wish, to: Path) -> Agreement:
    from tasks.export_onnx import write_onnx_int8  # noqa: PLC0415  loads torch and ONNX Runtime

    return write_onnx_int8(wish.site, wish.registered, to, factory=wish.factory)


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
        "packed": Format((), _write_packed, "--values"),
        "onnx": Format((".onnx",), _write_onnx, "--factory"),
        "onnx-int8": Format((".onnx",), _write_onnx_int8, "--factory"),
        "torch": Format((".safetensors", ".pt"), _write_torch),
    }
)
