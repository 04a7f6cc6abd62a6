"""
The OpenAI vocabulary: what a chat completion request says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from attrs import define, field

from arbstr.errors import ApiError, bad_request
from arbstr.routing.prefixes import Part, Prefix, digest_prefixes
from arbstr.routing.tokens import estimate_input, estimate_text

from .members import Member, parse_object, read_members, rewrite

_IMAGES = ("image_url", "input_image", "image")
# More than any server grants, and few enough to reckon with.
_MOST_CHOICES = 65_536
# Parts of a request that the model reads besides the messages.
_SCHEMAS = frozenset({"tools", "functions", "response_format"})
# Longer than any name in use; it goes into indexes and logs.
_LONGEST_MODEL = 256


@define
class ChatRequest:
    """
    A validated view of a chat completion request.  Fields that it does not
    know are none of its business; the original bytes are kept.

    @ivar body: the request as it came.
    @ivar stream: whether the answer is to be streamed.
    @ivar usage_wanted: whether the client asked for usage in the stream.
    @ivar output_cap: the limit on output tokens, if there is one.
    @ivar choices: how many answers are asked for.
    @ivar messages: of each message the texts of its parts.
    """

    body: bytes = field(repr=False)
    model: str
    stream: bool
    usage_wanted: bool
    output_cap: int | None
    choices: int
    input_tokens: int
    images: int
    last_user_text: str = field(repr=False)
    messages: tuple[tuple[str, ...], ...] = field(repr=False)
    _text: str = field(repr=False)
    _members: tuple[Member, ...] = field(repr=False)

    @classmethod
    def parse(cls, body: bytes) -> ChatRequest:
        """
        Read a request.

        @raise ApiError: it is not JSON, or a field is missing or of the wrong
            type; the error names the field.
        """
        text, members = parse_object(body)
        fields = {member.key: member.value for member in members}
        again = len(fields) < len(members)
        if again and sum(member.key == "model" for member in members) > 1:
            raise bad_request("'model' is given more than once", param="model")
        model = fields.get("model")
        if not isinstance(model, str) or not model:
            raise _wrong("model", "a non-empty string", fields)
        if len(model) > _LONGEST_MODEL:
            raise bad_request(
                f"'model': expected at most {_LONGEST_MODEL} characters, found "
                f"{len(model)}",
                param="model",
            )
        messages, texts, images = _messages(fields)
        options = _optional(fields, "stream_options", dict, "an object") or {}
        chars = sum(map(len, chain.from_iterable(texts)))
        if not _SCHEMAS.isdisjoint(fields):
            chars += sum(
                member.end - member.value_start
                for member in members
                if member.key in _SCHEMAS
            )
        return cls(
            body=body,
            model=model,
            stream=bool(_optional(fields, "stream", bool, "a boolean")),
            usage_wanted=options.get("include_usage") is True,
            output_cap=_output_cap(fields),
            choices=_choices(fields),
            input_tokens=estimate_input(chars, len(messages), images),
            images=images,
            last_user_text=_last_user_text(messages, texts),
            messages=texts,
            text=text,
            members=members,
        )

    def prefixes(self) -> list[Prefix]:
        """
        The beginnings of the prompt.  It takes a millisecond for each megabyte.
        """
        given = self._last("messages")
        messages = [] if given is None else given.value
        parts = [
            Part(message, _estimate(message.get("content"), texts))
            for message, texts in zip(messages, self.messages, strict=True)
        ]
        head = "\n".join(
            [
                json.dumps(self.model),
                *(
                    self._text[member.start : member.end]
                    for member in self._members
                    if member.key in _SCHEMAS
                ),
            ]
        )
        return digest_prefixes(head, estimate_text(len(head)), parts)

    def encode(self, upstream_model: str, *, routstr: bool = False) -> bytes:
        """
        The body for one provider: as it came if nothing has to change, else
        with the members that change written anew and every other as it stood.

        @param upstream_model: the provider's id for the model.
        @param routstr: the provider is a Routstr node: they reserve the whole
            context unless C{max_tokens} caps it, ignore
            C{max_completion_tokens}, and refuse a C{max_tokens} of null.
        """
        changes: dict[str, str] = {}
        if upstream_model != self.model:
            changes["model"] = json.dumps(upstream_model)
        if self.stream and not self.usage_wanted:
            changes["stream_options"] = self._options_with_usage()
        removed = set()
        if routstr:
            if self.output_cap is None and self._has("max_tokens"):
                removed.add("max_tokens")
            elif self.output_cap is not None and self._has("max_completion_tokens"):
                removed.add("max_completion_tokens")
                changes["max_tokens"] = str(self.output_cap)
        if not changes and not removed:
            return self.body
        return rewrite(self._text, self._members, changes, removed).encode()

    def _options_with_usage(self) -> str:
        options = self._last("stream_options")
        if options is None or options.value is None:
            return '{"include_usage":true}'
        given = self._text[options.value_start : options.end]
        return rewrite(given, read_members(given), {"include_usage": "true"})

    def _has(self, key: str) -> bool:
        return self._last(key) is not None

    def _last(self, key: str) -> Member | None:
        found = (each for each in reversed(self._members) if each.key == key)
        return next(found, None)


def _wrong(name: str, expected: str, fields: Mapping[str, Any]) -> ApiError:
    if name not in fields:
        return bad_request(f"'{name}' is missing, expected {expected}", param=name)
    found = _KINDS.get(type(fields[name]), "an unexpected value")
    return bad_request(f"'{name}': expected {expected}, found {found}", param=name)


_KINDS: Mapping[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}


def _optional(fields: Mapping[str, Any], name: str, wanted: type, expected: str) -> Any:
    value = fields.get(name)
    if value is not None and not isinstance(value, wanted):
        raise _wrong(name, f"{expected} or null", fields)
    return value


def _positive(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(name, "an integer or null", fields)
    if value < 1:
        raise bad_request(f"'{name}': expected at least 1, found {value}", param=name)
    return value


def _output_cap(fields: Mapping[str, Any]) -> int | None:
    newer = _positive(fields, "max_completion_tokens")
    older = _positive(fields, "max_tokens")
    return older if newer is None else newer


def _choices(fields: Mapping[str, Any]) -> int:
    choices = _positive(fields, "n") or 1
    if choices > _MOST_CHOICES:
        raise bad_request(f"'n': expected at most {_MOST_CHOICES}", param="n")
    return choices


def _messages(
    fields: Mapping[str, Any],
) -> tuple[list[dict[str, Any]], tuple[tuple[str, ...], ...], int]:
    """
    The messages, the texts of each, and how many images there are.
    """
    messages = fields.get("messages")
    if not isinstance(messages, list):
        raise _wrong("messages", "an array", fields)
    texts: list[tuple[str, ...]] = []
    images = 0
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            where = f"messages[{index}]"
            raise _wrong(where, "an object", {where: message})
        content = message.get("content")
        if isinstance(content, str):
            texts.append((content,))
        elif isinstance(content, list):
            texts.append(_texts(content))
            images += _images(content)
        elif content is None:
            texts.append(())
        else:
            where = f"messages[{index}].content"
            raise _wrong(where, "a string, an array or null", {where: content})
    return messages, tuple(texts), images


def _texts(content: Sequence[object]) -> tuple[str, ...]:
    texts = (part.get("text") for part in content if isinstance(part, dict))
    return tuple(text for text in texts if isinstance(text, str))


def _images(content: Sequence[object]) -> int:
    """
    How many images there are in a message.
    """
    return sum(
        isinstance(part, dict) and part.get("type") in _IMAGES for part in content
    )


def _estimate(content: object, texts: Sequence[str]) -> int:
    """
    Tokens in one message.
    """
    images = _images(content) if isinstance(content, list) else 0
    return estimate_input(sum(map(len, texts)), 1, images)


def _last_user_text(
    messages: Sequence[Mapping[str, Any]], texts: Sequence[tuple[str, ...]]
) -> str:
    for place in range(len(messages) - 1, -1, -1):
        if messages[place].get("role") == "user":
            return "\n".join(texts[place])
    return ""
