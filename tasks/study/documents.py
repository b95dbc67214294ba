"""Records as JSON in a results folder: one a file, or one a line."""

import json
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from mixmatch.errors import WorkspaceError
from mixmatch.records import Record
from tasks.line_file import LineFile
from tasks.study.files import write_once

SCHEMA = 1  # of all files of a results folder; raise it when a field changes its meaning

R = TypeVar("R", bound=Record)


def keep_document(place: Path, record: Record) -> bool:
    """Write ``record`` unless there is a document; say whether it was written.

    Raises:
        WorkspaceError: it cannot be written.
    """
    # Not sorted: patterns of layers and roles have an order.
    values = {"schema": SCHEMA, **record.model_dump(mode="json")}
    return write_once(place, json.dumps(values, indent=1) + "\n")


def read_document(place: Path, kind: type[R]) -> R:
    """Return the document at ``place``.

    Raises:
        WorkspaceError: it cannot be read, is no such record, or is of another version.
    """
    try:
        values = json.loads(place.read_text(encoding="utf-8"))
    except OSError as error:
        raise WorkspaceError(f"{place} must be readable ({error.strerror}).") from error
    except ValueError as error:
        raise WorkspaceError(f"{place} must hold JSON ({error}).") from error
    schema = values.pop("schema", None) if isinstance(values, dict) else None
    if schema != SCHEMA:
        raise WorkspaceError(
            f"{place} must have schema {SCHEMA}, got {schema}; another version wrote it."
        )
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise WorkspaceError(f"{place} must hold a {kind.__name__} ({_first(error)}).") from error


def read_lines(place: Path, kind: type[R]) -> list[R]:
    """Return the records in a file of lines; none if there is no file.

    Raises:
        WorkspaceError: the file cannot be read, or one of its lines is no such record.
    """
    lines = enumerate(LineFile(place).read(), start=1)
    return [parse_line(place, line, number, kind) for number, line in lines]


def parse_line(place: Path, line: bytes, number: int, kind: type[R]) -> R:
    """Return the record in one line.

    Args:
        place: the file, for the message.
        line: JSON.
        number: of the line, from 1, for the message.
        kind: of the record.

    Raises:
        WorkspaceError: it is no such record.
    """
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        raise WorkspaceError(
            f"{place} must hold a {kind.__name__} on every line, but line {number} is none "
            f"({_first(error)}); restore or delete that line."
        ) from error


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    setting = ".".join(map(str, problem["loc"]))
    return f"{setting}: {problem['msg']}" if setting else problem["msg"]
