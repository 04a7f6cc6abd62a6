"""
The secrets that this process holds, known by heart: wherever text goes out,
they are taken out of it.

L{arbstr.redact} finds what looks like a key.  This finds the keys themselves,
whatever they look like, also as JSON, URLs, HTML and base64 spell them, and
where they were cut short.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from html import escape
from itertools import takewhile
from typing import Any

from attrs import define, field

REDACTED = "[redacted]"

SHORTEST = 8
"""
Characters.  What is shorter is found in texts that have nothing to do with it:
servers on one's own machine are given keys such as C{x} or C{none}.
"""

# What begins with so many characters of a secret is taken for the secret, cut.
_HEAD = 12

# The newest ones.  Those of former configurations stay: they may still be good,
# and somebody who was sent one may answer late.
_MOST = 10_000

_LEVELS = 16

# A character of a secret in all its spellings, as a pattern; a word is a secret
# or its beginning.
_Word = tuple[str, ...]

# What goes on after it is part of it, or of a key that begins like it.
_REST: _Word = ("[A-Za-z0-9_+/=*.~%-]*",)
_MORE = "[A-Za-z0-9_-]*"


@define
class Keyring:
    """
    Secrets, and one pattern that finds any of them in time linear in the text.
    """

    _secrets: dict[str, None] = field(factory=dict, repr=False)
    _pattern: re.Pattern[str] | None = field(default=None, repr=False)

    def add(self, secrets: Iterable[str]) -> None:
        """
        From now on hide these, too.  What is too short to be told from other
        text is passed over.
        """
        found = dict.fromkeys(each for each in secrets if len(each) >= SHORTEST)
        if found.keys() <= self._secrets.keys():
            return
        self._secrets |= found
        for secret in [*self._secrets][:-_MOST]:
            del self._secrets[secret]
        # What is whole goes before what is cut.
        words = [word for secret in self._secrets for word in _words(secret)]
        words += [
            _spelt(secret[:_HEAD]) + _REST
            for secret in self._secrets
            if len(secret) > _HEAD
        ]
        self._pattern = re.compile(f"(?:{_any_of(words, _LEVELS)}){_MORE}")

    def knows(self, secret: str) -> bool:
        """
        Is there nothing to be done for this one, since it is hidden already or too
        short?
        """
        return len(secret) < SHORTEST or secret in self._secrets

    def hide(self, text: str) -> str:
        """
        A text without them.
        """
        return text if self._pattern is None else self._pattern.sub(REDACTED, text)


KEYRING = Keyring()
"""
The process's own.
"""


def hide(text: str) -> str:
    """
    A text without this process's secrets.
    """
    return KEYRING.hide(text)


def hide_bytes(data: bytes) -> bytes:
    """
    The same for what may be in any encoding; a secret is ASCII.
    """
    return hide(data.decode("latin-1")).encode("latin-1")


def hide_all(value: Any) -> Any:
    """
    The same for every text in a JSON value.
    """
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {name: hide_all(each) for name, each in value.items()}
    return [hide_all(each) for each in value] if isinstance(value, list) else value


def _words(secret: str) -> Iterator[_Word]:
    yield _spelt(secret)
    # A byte's bits are spread over base64's characters in one of three ways,
    # by what is before it.  Those it shares with its neighbours are left out.
    for before, skipped in enumerate((0, 2, 3)):
        bits = 8 * (before + len(secret.encode()))
        encoded = b64encode(b"\0" * before + secret.encode()).decode("ascii")
        yield _spelt(encoded[skipped : bits // 6], {"+": "-", "/": "_"})


def _spelt(text: str, alternatives: dict[str, str] | None = None) -> _Word:
    """
    @param alternatives: another character that may stand for one.
    """
    others = alternatives or {}
    return tuple(_spellings(each, others.get(each, "")) for each in text)


def _spellings(character: str, alternative: str) -> str:
    """
    As it is; escaped in a string, by itself or by its number, also in a string
    in a string; in a URL; in HTML; by another character that stands for it.
    """
    if character.isalnum():
        return character
    number = ord(character)
    found = [
        rf"\\{{1,8}}(?:u00|x)(?i:{number:02x})",
        rf"%(?:25)?(?i:{number:02x})",
        rf"&\#(?:{number}|[xX](?i:{number:02x}));",
    ]
    if escape(character) != character:
        found.append(re.escape(escape(character)))
    if alternative:
        found.append(re.escape(alternative))
    # Last, since it may be how another spelling begins.
    found.append(r"\\{0,8}" + re.escape(character))
    return f"(?:{'|'.join(found)})"


def _any_of(words: list[_Word], levels: int) -> str:
    """
    A pattern in which words with the same beginning share it, so that at every
    character of a text there are few ways to go on, however many words.
    """
    if not levels:
        # Deeper, the compiler of patterns would run out of stack.
        return "|".join("".join(word) for word in sorted(words, key=len, reverse=True))
    alike: dict[str, list[_Word]] = {}
    for word in words:
        alike.setdefault(word[0], []).append(word)
    patterns = []
    for group in alike.values():
        columns = zip(*group, strict=False)
        shared = sum(1 for _ in takewhile(lambda each: len({*each}) == 1, columns))
        rests = [word[shared:] for word in group if len(word) > shared]
        pattern = "".join(group[0][:shared])
        if rests:
            pattern += f"(?:{_any_of(rests, levels - 1)})"
            pattern += "?" if len(rests) < len(group) else ""
        patterns.append(pattern)
    return "|".join(patterns)
