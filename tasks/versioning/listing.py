"""The listing of a folder under DVC: JSON that names its files, kept under a hash of its own.

Whoever can write the remote can write a listing that agrees with its hash, and DVC follows what it
says: so nothing goes to DVC, or becomes a path, that was not read here.
"""

import hashlib
import json

from mixmatch.errors import ArtifactError
from tasks.versioning.names import is_file_md5, is_plain_path


def listing_md5(content: bytes) -> str:
    """Return the hash under which DVC keeps a listing of these bytes, ends in ``.dir``."""
    return f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}.dir"


def read_listing(content: bytes) -> dict[str, str]:
    """Return MD5 by path inside the folder.

    Raises:
        ArtifactError: it is no listing, a path in it leads outside of the folder, or a hash is none
            of a file: DVC would read another listing there, which nobody has looked at.
    """
    try:
        files = {entry["relpath"]: entry["md5"] for entry in json.loads(content)}
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            "The listing of a DVC folder must name the path and the MD5 of every file in it, got "
            f"{type(error).__name__} when it was read."
        ) from error
    for inside, md5 in files.items():
        if not (isinstance(inside, str) and is_plain_path(inside)):
            raise ArtifactError(
                "The listing of a DVC folder must name only files inside of it, by relative and "
                f"plain paths, got {inside!r}."
            )
        if not (isinstance(md5, str) and is_file_md5(md5)):
            raise ArtifactError(
                "The listing of a DVC folder must name every file by 32 hexadecimal digits, got "
                f"{md5!r} for {inside}."
            )
    return files
