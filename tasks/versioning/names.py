"""What a folder under DVC, its hash, and the files inside it may be called.

Pointers, lineages and listings that others may have written say all three, and all three become
paths.
"""

import re
from pathlib import PurePosixPath

from mixmatch.errors import ArtifactError, ConfigError

HISTORY = "pointers"

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MD5 = re.compile(r"[0-9a-f]{32}")
_FOLDER_MD5 = re.compile(rf"{_MD5.pattern}\.dir")


def check_name(name: str) -> None:
    """Refuse a folder name that is not plain.

    Raises:
        ConfigError: it has other characters than letters, digits, ``.``, ``_``, ``-``, begins with
            one of the last three, or is the history's own.
    """
    if not _PLAIN_NAME.fullmatch(name) or name == HISTORY:
        raise ConfigError(
            "The name of a DVC folder must begin with a letter or digit, consist of letters, "
            f"digits, '.', '_' and '-', and not be {HISTORY!r}; got {name!r}."
        )


def check_folder_md5(name: str, md5: str) -> None:
    """Refuse what is no hash of a folder.

    Raises:
        ConfigError: it is not 32 hexadecimal digits and ``.dir``.
    """
    if not _FOLDER_MD5.fullmatch(md5):
        raise ConfigError(
            f"The DVC folder {name} must have as hash 32 hexadecimal digits and .dir, got {md5!r}."
        )


def hash_parts(md5: str) -> tuple[str, str]:
    """Return under which folder and name DVC keeps the file or listing of this hash.

    Raises:
        ArtifactError: it is no hash, and might lead elsewhere.
    """
    if not (is_file_md5(md5) or _FOLDER_MD5.fullmatch(md5)):
        raise ArtifactError(
            "What DVC keeps must be named by 32 hexadecimal digits, with .dir for a folder, got "
            f"{md5!r}."
        )
    return md5[:2], md5[2:]


def is_file_md5(text: str) -> bool:
    """Say whether ``text`` can be DVC's hash of a file, not of a folder."""
    return _MD5.fullmatch(text) is not None


def is_plain_path(inside: str) -> bool:
    """Say whether a path inside a folder stays in it and has no second spelling."""
    path = PurePosixPath(inside)
    leads_out = path.is_absolute() or ".." in path.parts
    return str(path) == inside and bool(path.name) and not leads_out
