"""
Values that come from the environment: C{${VAR}} in the file, and the keys of
providers whose section has none.

Nothing here shows a value: errors name the variable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import field, frozen

from arbstr.redact import redact

SECRET_KEYS = frozenset({"api_key", "auth_token"})
"""
The keys of the file whose values are never shown.
"""


EXPANDED = "expanded"
LITERAL = "literal: plaintext in the file"
NONE = "none"

# A default stops at the next reference, so that the time is linear in the text.
_REFERENCE = re.compile(
    r"""
    \$\{ (?P<name> [A-Za-z_][A-Za-z0-9_]* )
    (?: :- (?P<default> (?: [^}$] | \$(?!\{) )*+ ) )?
    \}
    """,
    re.VERBOSE,
)
_NOT_A_WORD = re.compile("[^A-Z0-9]+")


class ExpansionError(ValueError):
    """
    A C{${...}} that has no value.  Its text says what was expected.
    """


@frozen
class Expansion:
    """
    A string of the file with the environment's values in it.

    @ivar plaintext: whether some of the text stands in the file itself.
    """

    text: str = field(repr=False)
    plaintext: bool


def is_secret(path: tuple[str | int, ...]) -> bool:
    """
    Is the value at this path of the file one, or inside of one?
    """
    return not SECRET_KEYS.isdisjoint(path) or (
        path[:2] == ("tokenstats", "keys") and len(path) > 2
    )


def expand(text: str, environ: Mapping[str, str]) -> Expansion:
    """
    Put values in the place of C{${VAR}} and C{${VAR:-default}}.  As in a
    shell, the default also stands in for an empty value.

    @raise ExpansionError: if a variable without default is not set, or
        C{${} begins something else.
    """
    pieces = []
    unset = []
    plaintext = False
    position = 0
    for match in _REFERENCE.finditer(text):
        literal, position = text[position : match.start()], match.end()
        value, default = environ.get(match["name"]), match["default"]
        if value is None and default is None:
            unset.append(match["name"])
        from_file = default or "" if not value else ""
        plaintext = plaintext or bool(literal or from_file)
        pieces += [literal, value or from_file]
    rest = text[position:]
    if unset:
        # Somebody may have written the key itself between the braces.
        names = ", ".join(map(redact, unset))
        raise ExpansionError(f"expected {names} in the environment")
    if any("${" in literal for literal in (*pieces[::2], rest)):
        raise ExpansionError("expected ${NAME} or ${NAME:-default}")
    return Expansion("".join([*pieces, rest]), plaintext or bool(rest))


def key_variable(provider_name: str) -> str:
    """
    The environment variable in which a provider's key is looked up when the
    file has none: C{ARBSTR_}, the upper-cased name with every run of other
    characters as one underscore, C{_API_KEY}.
    """
    return f"ARBSTR_{_NOT_A_WORD.sub('_', provider_name.upper())}_API_KEY"


def from_environment(variable: str) -> str:
    """
    How a report says that a key was found under the convention name.
    """
    return f"environment {variable}"


def is_header_safe(secret: str) -> bool:
    """
    Can it be sent as a bearer token?
    """
    return re.fullmatch("[!-~]+", secret) is not None
