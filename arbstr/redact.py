"""
Making other people's text fit to be logged and shown.
"""

from __future__ import annotations

import re

from .keyring import REDACTED, hide

_CUT = "…"

# Characters beyond those looked at in which a secret may end that begins in them.
_MARGIN = 8192

# What may stand in a key, so that a cut in front of it does not leave a part.
_KEY_CHARACTERS = (
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+/=*.~%"
)

# Every repetition below is either bounded or of one class of characters that
# the next part of the pattern cannot begin with: time is linear in the text.

# Something that says that a secret follows: kept, so that one can see what it
# was.  Quotes may be escaped: error messages quote JSON in JSON.
_LABELLED = re.compile(
    r"""
    (
        (?: api[ _-]?key (?: \s{1,4} provided )?
          | authorization | credentials? | passw(?:or)?d | private[ _-]?key | secret
        )
        [\\"']{0,4} \s{0,4} [:=] \s{0,4} [\\"']{0,4}
        (?: (?: basic | bearer | token ) \s{1,4} )?
    )
    [^\s"'\\&,;<>(){}\[\]]+
    |
    ( token [\\"']{0,4} \s{0,4} [:=] \s{0,4} [\\"']{0,4} )
    [^\s"'\\&,;<>(){}\[\]]{8,}
    |
    ( \b bearer (?: \s | %20 | \+ ){1,4} )
    [\w.~+/=*%-]{8,}
    |
    ( :// ) [^\s/@]+ (?= @ )
    """,
    re.VERBOSE | re.IGNORECASE,
)

# Keys that can be told by how they begin, whole or masked with asterisks.
_PREFIXED = re.compile(
    r"""
    (?<! [A-Za-z0-9] )
    (?: c?sk- | vtk_ | gsk_ | xai- | pplx- | nvapi- | hf_ | gh[opsu]_ | nsec1
      | AIza | AKIA
    )
    [\w*-]{4,}
    |
    sk- (?= [A-Za-z_-]{0,64} [0-9*] ) [\w*-]{16,}
    |
    vtk_ [\w*-]{16,}
    |
    cashu[AB] [\w+/=*-]{8,}
    |
    (?<! [A-Za-z0-9] ) eyJ [\w-]{8,512} \. [\w.-]{8,}
    """,
    re.VERBOSE | re.ASCII,
)

_LONG = re.compile(r"[A-Za-z0-9_+/-]{32,}={0,2}")
_SEPARATORS = re.compile(r"[^A-Za-z0-9]+")

# Controls, line and paragraph separators, what turns the direction of text
# around, and halves of surrogate pairs, which cannot be encoded.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def redact(text: str, limit: int = 2048) -> str:
    """
    Remove secrets and what looks like a key, and make the rest one line of
    bounded length.

    Besides the secrets that L{arbstr.keyring} knows, taken for keys are: words
    that begin as keys of known kinds do, ecash tokens, what follows C{Bearer},
    C{api_key=} and the like, the user part of a URL, and stretches of 32
    characters or more that look random.  UUIDs and names of models stay.

    @param limit: bytes of the result in UTF-8, at least 3.
    """
    known = hide(text[: 4 * limit + _MARGIN])
    shown_all = len(known) <= 4 * limit and len(text) <= 4 * limit + _MARGIN
    # The word in which it had to be cut goes, since it may be part of a key.
    shown = known if shown_all else known[: 4 * limit].rstrip(_KEY_CHARACTERS)
    shown = _LABELLED.sub(_keep_label, shown)
    shown = _PREFIXED.sub(REDACTED, shown)
    shown = _LONG.sub(_hide_random, shown)
    shown = escape(shown)
    encoded = shown.encode()
    if shown_all and len(encoded) <= limit:
        return shown
    return encoded[: limit - len(_CUT.encode())].decode(errors="ignore") + _CUT


def escape(text: str) -> str:
    """
    Make a text one line that can be encoded and that steers no terminal.
    """
    return _UNSAFE.sub(_escape, text)


def _keep_label(match: re.Match[str]) -> str:
    label = next(group for group in match.groups() if group is not None)
    return label + REDACTED


def _hide_random(match: re.Match[str]) -> str:
    """
    Names and UUIDs are made of short words; random text has a long stretch in
    which letters and digits mix.
    """
    words = _SEPARATORS.split(match[0])
    random = any(
        len(word) >= 16 and not word.isalpha() and not word.isdigit() for word in words
    )
    return REDACTED if random else match[0]


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()
