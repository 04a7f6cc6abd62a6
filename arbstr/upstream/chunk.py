"""
What one event of a provider's chat stream says.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from arbstr.redact import redact

from . import strict

_CODE_LIMIT = 64


@frozen
class StreamError:
    """
    A failure that the provider reported inside the stream.

    @ivar message: what it said, fit to be logged and shown.
    @ivar code: its name or number for it, if it has one.
    """

    message: str
    code: str | None = None


def parse_object(data: bytes) -> dict[str, object] | None:
    """
    The JSON object that these bytes are, if they are one.
    """
    # To find out that C{[DONE]} is no JSON takes long.
    value = strict.parse(data) if data.lstrip().startswith(b"{") else None
    return value if isinstance(value, dict) else None


def choices_of(chunk: Mapping[str, object]) -> list[dict[str, object]]:
    """
    The choices that an event is about.
    """
    choices = chunk.get("choices")
    if not isinstance(choices, list):
        return []
    for choice in choices:
        if not isinstance(choice, dict):
            return [each for each in choices if isinstance(each, dict)]
    return choices


def is_mere_content(
    chunk: Mapping[str, object], choices: list[dict[str, object]]
) -> bool:
    """
    One choice goes on with some content, and there is nothing else.
    """
    choice = choices[0]
    delta = _mapping(choice.get("delta"))
    if len(choices) > 1 or len(delta) > 1 or "text" in choice:
        return False
    if chunk.get("usage") is not None or choice.get("finish_reason"):
        return False
    return isinstance(delta.get("content"), str)


def find_error(
    chunk: Mapping[str, object], choices: list[dict[str, object]]
) -> StreamError | None:
    """
    An error at top level, as OpenAI and Routstr write it, or a choice that
    ended with one, as OpenRouter's do.
    """
    error = chunk.get("error")
    if not error:
        for choice in choices:
            if choice.get("finish_reason") == "error":
                error = choice.get("error")
                break
        else:
            return None
    message = error if isinstance(error, str) else _mapping(error).get("message")
    code = _mapping(error).get("code")
    if not isinstance(message, str) or not message:
        message = "The provider broke off without saying why"
    known = isinstance(code, str | int) and not isinstance(code, bool) and code != ""
    return StreamError(
        redact(message), redact(str(code), _CODE_LIMIT) if known else None
    )


def has_content(delta: object) -> bool:
    """
    There is more in it than a role.
    """
    return any(value and name != "role" for name, value in _mapping(delta).items())


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
