"""What a validation error says: one sentence with the setting, its value and what is allowed."""

import re
from collections.abc import Sequence

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mixmatch.addresses import masked

# What pydantic's error types ask for; the braces are filled from the error's own context.
_RULES = {
    "greater_than": "be above {gt:g}",
    "greater_than_equal": "be at least {ge:g}",
    "less_than": "be below {lt}",
    "less_than_equal": "be at most {le:g}",
    "literal_error": "be {expected}",
    "enum": "be {expected}",
    "int_type": "be a whole number",
    "int_parsing": "be a whole number",
    "int_from_float": "be a whole number",
    "float_type": "be a number",
    "float_parsing": "be a number",
    "finite_number": "be a finite number",
    "bool_type": "be true or false",
    "bool_parsing": "be true or false",
    "string_type": "be text",
    "string_too_short": "not be empty",
    "tuple_type": "be a list",
    "dict_type": "be a section with settings of its own",
    "model_type": "be a section with settings of its own",
    "model_attributes_type": "be a section with settings of its own",
    "too_short": "have at least one entry",
    "too_long": "have at most {max_length} entries",
}
_KEY = "[key]"  # pydantic's mark for an error in a key rather than in its value
_QUERY_VALUE = re.compile(r"(://[^\s?]*\?)[^\s'\"]*")
_MAX_SHOWN = 80  # characters of a refused value


def sentence(error: ValidationError, root: type[BaseModel]) -> str:
    """Say the first problem of a validation; of addresses neither credentials nor query.

    Args:
        error: what pydantic raised.
        root: the model that was validated, for the names of its settings.
    """
    return _QUERY_VALUE.sub(r"\1***", masked(_first(error, root)))


def _first(error: ValidationError, root: type[BaseModel]) -> str:
    first = error.errors()[0]
    setting = _setting(first["loc"])
    match first["type"]:
        case "extra_forbidden":
            known = ", ".join(_known_names(first["loc"], root))
            return f"{setting} is not a setting; known here: {known}."
        case "invalid_key":
            return f"Every setting must have a name that is text, got {_shown(first['input'])}."
        case "missing":
            return _missing_sentence(first["loc"])
        case "value_error":
            return _own_sentence(setting, str(first["ctx"]["error"]))
    return f"{setting} must {_rule(first)}, got {_shown(first['input'])}."


def _missing_sentence(location: Sequence[str | int]) -> str:
    if isinstance(entry := location[-1], int):
        return f"{_setting(location[:-1])} must have at least {entry + 1} entries."
    return f"{_setting(location)} must be given; it has no default."


def _own_sentence(setting: str, message: str) -> str:
    """Join a message of our validators, which begins with ``must`` or with a name below it."""
    if not setting:
        return f"{message}."
    return f"{setting} {message}." if message.startswith("must") else f"{setting}.{message}."


def _setting(location: Sequence[str | int]) -> str:
    """Write a place as people do: ``ranges.targets (entry 2)``."""
    names = [str(part) for part in location if not isinstance(part, int) and part != _KEY]
    entries = [f"entry {part + 1}" for part in location if isinstance(part, int)]
    return ".".join(names) + (f" ({', '.join(entries)})" if entries else "")


def _known_names(location: Sequence[str | int], root: type[BaseModel]) -> list[str]:
    """Return the names of the section in which ``location`` ends."""
    section = root
    for part in location[:-1]:
        field = next(f for name, f in section.model_fields.items() if part in (name, f.alias))
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            break
        section = field.annotation
    return [field.alias or name for name, field in section.model_fields.items()]


def _rule(problem: ErrorDetails) -> str:
    if template := _RULES.get(problem["type"]):
        return template.format(**problem.get("ctx", {}))
    return problem["msg"].removeprefix("Input ").removeprefix("should ")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
