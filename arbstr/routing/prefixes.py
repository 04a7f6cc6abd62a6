"""
The beginnings of a conversation, as digests: whoever remembers them remembers
none of its text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b

from attrs import frozen

#: Of a longer conversation, the beginnings up to its first message and up to
#: its last ones are told: a longer prompt than the one before is so by fewer.
MOST_PREFIXES = 64

_DIGEST_BYTES = 16
_MARK = "cache_control"
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True)


@frozen
class Prefix:
    """
    A prompt from its start to the end of one of its messages.

    @ivar tokens: an estimate, uncorrected.
    """

    digest: bytes
    tokens: int


@frozen
class Part:
    """
    What a prompt is made of: one of its messages.

    @ivar message: as the client wrote it.
    @ivar tokens: an estimate.
    """

    message: Mapping[str, object]
    tokens: int


def digest_prefixes(head: str, head_tokens: int, parts: Sequence[Part]) -> list[Prefix]:
    """
    The prefixes that end with a message, the shortest first; at most
    L{MOST_PREFIXES}.  Each byte is hashed once, however many there are.

    @param head: what stands before all messages for the model that reads them:
        its own name, the tools that it may call.
    """
    digest = blake2b(head.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES)
    tokens = head_tokens
    last_ones = len(parts) - MOST_PREFIXES + 1
    prefixes = []
    for index, part in enumerate(parts):
        # Each is a JSON object, which says by itself where it ends.
        for piece in _pieces(part.message):
            digest.update(piece)
        tokens += part.tokens
        if index == 0 or index >= last_ones:
            prefixes.append(Prefix(digest.copy().digest(), tokens))
    return prefixes


def _pieces(message: Mapping[str, object]) -> list[bytes]:
    """
    The same bytes for what is the same to the model, and others for everything
    else.
    """
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    texts = []
    shape: list[object] = []
    for part in parts:
        text = _text(part)
        if text is None:
            shape.append(_unmarked(part) if isinstance(part, dict) else part)
        else:
            # A long text is many times faster read as it is than quoted.
            texts.append(text.encode("utf-8", "surrogatepass"))
            shape.append(len(texts[-1]))
    told = _ENCODER.encode(_unmarked(message) | {"content": shape})
    return [told.encode("utf-8", "surrogatepass"), *texts]


def _text(part: object) -> str | None:
    """
    The text that is all there is to a content, or to a part of it.
    """
    if isinstance(part, dict) and part.get("type") == "text":
        part = part.get("text")
    return part if isinstance(part, str) else None


def _unmarked(value: Mapping[str, object]) -> dict[str, object]:
    """
    Without the mark that some providers want on what they are to cache: it
    moves on with the conversation.
    """
    return {key: each for key, each in value.items() if key != _MARK}
