"""Zip archives as PyTorch writes them: parts one after another, none of them compressed."""

import zipfile
from pathlib import Path

from mixmatch.errors import CheckpointError


def check_stored(archive: zipfile.ZipFile, path: Path, *, source: str) -> None:
    """Refuse an archive whose parts could give more bytes than its file has.

    A compressed part inflates a thousandfold, and parts that overlap give the same bytes many
    times. Only the directory is looked at, so nothing is inflated to find out.

    Args:
        archive: the opened file.
        path: where it is, for its size.
        source: where it came from, for messages.

    Raises:
        CheckpointError: a part is compressed or encrypted, parts overlap, or there is more in the
            file than the archive.
    """
    parts = archive.infolist()
    for part in parts:
        if part.compress_type != zipfile.ZIP_STORED or part.file_size != part.compress_size:
            raise CheckpointError(
                f"{source} must hold its parts as PyTorch stores them, but {part.filename} is "
                "compressed or encrypted."
            )
    size_bytes, file_bytes = sum(part.file_size for part in parts), path.stat().st_size
    if size_bytes > file_bytes:
        raise CheckpointError(
            f"{source} must hold parts that do not overlap, but they claim {size_bytes} bytes of a "
            f"file of {file_bytes}."
        )
    # Beside other bytes, PyTorch's own reader may find another directory than this one.
    if archive.comment or min((part.header_offset for part in parts), default=0) != 0:
        raise CheckpointError(
            f"{source} must be an archive from its first byte to its last, but other bytes are "
            "before or after it."
        )
