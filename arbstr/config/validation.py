"""
From pydantic's errors to ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import ValidationError

from .base import Settings
from .model import Config
from .problems import Path, Problem, show, show_key, suggest
from .secrets import is_secret

_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "int_type": "a whole number",
    "model_attributes_type": "a mapping",
    "model_type": "a mapping",
    "string_too_short": "text that is not empty",
    "string_unicode": "valid Unicode",
    "tuple_type": "a list",
}


def validate(data: object, written: object) -> tuple[Config | None, list[Problem]]:
    """
    @param data: the content of the file, environment expanded.
    @param written: the same as it was written, for quoting.
    @return: the settings, or else everything that is wrong with them.
    """
    try:
        return Config.model_validate(data), []
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        return None, [_problem(detail, written) for detail in found]


def _problem(detail: Mapping[str, Any], written: object) -> Problem:
    path: Path = tuple(detail["loc"])
    if detail["type"] == "extra_forbidden":
        return Problem(path, _unknown_key(path))
    expected = _expected(detail)
    if ", found" in expected:
        return Problem(path, expected)
    value = _look_up(written, path)
    found = show(value, secret=is_secret(path))
    if detail["type"] == "string_type" and isinstance(value, int | float):
        found += ' (text needs "quotes" here)'
    return Problem(path, f"{expected}, found {found}")


def _expected(detail: Mapping[str, Any]) -> str:
    context = detail.get("ctx", {})
    match detail["type"]:
        case "value_error":
            return str(context["error"])
        case "literal_error":
            return f"expected {context['expected']}"
        case "missing":
            return "expected a value"
        case "greater_than":
            return f"expected more than {context['gt']:g}"
        case "greater_than_equal":
            return f"expected at least {context['ge']:g}"
        case "less_than_equal":
            return f"expected at most {context['le']:.0f}"
        case kind:
            return f"expected {_EXPECTED.get(kind, 'text')}"


def _unknown_key(path: Path) -> str:
    key = str(path[-1])
    known = _keys_known_at(path[:-1])
    return f"expected a known key, found {show_key(key)!r}{suggest(key, known)}"


def _keys_known_at(path: Path) -> list[str]:
    section: type[Settings] | None = Config
    for step in path:
        if isinstance(step, str) and section is not None:
            section = section_in(section.model_fields[step].annotation)
    return [] if section is None else list(section.model_fields)


def section_in(annotation: Any) -> type[Settings] | None:
    """
    The section among the parts of a type such as C{tuple[ModelSettings, ...]}.
    """
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    sections = map(section_in, get_args(annotation))
    return next((section for section in sections if section is not None), None)


def _look_up(data: object, path: Path) -> object:
    """
    What was written there.  The rest of a path that leads into a scalar was
    made up by a validator that took the scalar for a list or mapping of one.
    """
    for step in path:
        if isinstance(data, Mapping):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
    return data
