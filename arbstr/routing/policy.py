"""
Which policy a request falls under.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import frozen

from arbstr.config.model import PolicyRule
from arbstr.errors import bad_request

# Keywords are looked for in both ends of a message: a match must not cost the
# reactor a scan over megabytes.
_SCANNED_CHARS = 65_536
# The word in which the scan of the beginning ends, so that half of it is not
# taken for a whole one.
_REST_OF_WORD = re.compile(r"\w{0,1024}")


# A keyword may be found so often within other words before the pattern, which is
# slower than one search but faster than many, goes on.
_MOST_PARTS_OF_WORDS = 64


class _TooManyPartsOfWords(Exception):
    pass


@frozen
class PolicyMatch:
    """
    The rule that applies, if any, and why.
    """

    rule: PolicyRule | None
    reason: str

    @property
    def name(self) -> str | None:
        """
        The rule's name, C{None} without a rule.
        """
        return None if self.rule is None else self.rule.name


@frozen
class _Keywords:
    """
    A rule's keywords, ready to be looked for.

    @ivar folded: without regard to case.
    @ivar pattern: finds any of them as a whole word, slowly.
    """

    folded: tuple[str, ...]
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, keywords: Iterable[str]) -> _Keywords:
        """
        Of a rule's.
        """
        # \b would not do: a keyword such as "c++" begins or ends in a character
        # that is no part of a word.
        alternatives = "|".join(map(re.escape, keywords))
        return cls(
            tuple(keyword.casefold() for keyword in keywords),
            re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)", re.IGNORECASE),
        )


class Policies:
    """
    The rules, ready to be matched.
    """

    def __init__(self, rules: Iterable[PolicyRule]) -> None:
        self._rules = {rule.name: rule for rule in rules}
        self._keywords = [
            (rule, _Keywords.of(rule.keywords))
            for rule in self._rules.values()
            if rule.keywords
        ]

    def names(self) -> list[str]:
        """
        The names of all rules, in the order in which they are tried.
        """
        return list(self._rules)

    def match(self, header: str | None, last_user_text: str) -> PolicyMatch:
        """
        The rule that the client names, else the first one of whose keywords is
        a whole word of the last user message, else none.

        @raise ApiError: the named rule does not exist.
        """
        if header is not None:
            rule = self._rules.get(header)
            if rule is None:
                known = ", ".join(self._rules) or "none configured"
                raise bad_request(
                    f"Unknown policy '{header}' in X-Arbstr-Policy, expected one of: "
                    f"{known}",
                    param="X-Arbstr-Policy",
                    code="policy_not_found",
                )
            return PolicyMatch(rule, "named by X-Arbstr-Policy")
        ends = _ends(last_user_text) if self._keywords else []
        for rule, keywords in self._keywords:
            for end in ends:
                found = end.search(keywords)
                if found is not None:
                    return PolicyMatch(rule, f"keyword '{found}'")
        return PolicyMatch(None, "no policy named and no keyword matched")


@frozen
class _Scan:
    """
    The parts of a message in which keywords are looked for.

    @ivar folded: the same without regard to case, where that takes the same
        room, else C{None}.
    @ivar start: where it begins; what is before may be the rest of a word.
    """

    text: str
    folded: str | None
    start: int

    @classmethod
    def of(cls, text: str, start: int = 0) -> _Scan:
        """
        One end of a message, or all of a short one.
        """
        folded = text.casefold()
        return cls(text, folded if len(folded) == len(text) else None, start)

    def search(self, keywords: _Keywords) -> str | None:
        """
        The first of the keywords that is a whole word here, as it is written.
        """
        if self.folded is None:
            found = keywords.pattern.search(self.text, self.start)
            return None if found is None else found[0]
        try:
            places = [self._find(self.folded, each) for each in keywords.folded]
        except _TooManyPartsOfWords:
            found = keywords.pattern.search(self.text, self.start)
            return None if found is None else found[0]
        first = min((each for each in places if each is not None), default=None)
        return None if first is None else self.text[first[0] : first[1]]

    def _find(self, folded: str, keyword: str) -> tuple[int, int] | None:
        start = folded.find(keyword, self.start)
        for _ in range(_MOST_PARTS_OF_WORDS):
            if start < 0:
                return None
            end = start + len(keyword)
            if not _is_word(folded[start - 1 : start]) and not _is_word(
                folded[end : end + 1]
            ):
                return start, end
            start = folded.find(keyword, start + 1)
        raise _TooManyPartsOfWords


def _ends(text: str) -> list[_Scan]:
    """
    The beginning of a text and its end.
    """
    if len(text) <= _SCANNED_CHARS:
        return [_Scan.of(text)]
    rest = _REST_OF_WORD.match(text, _SCANNED_CHARS)
    beginning = _SCANNED_CHARS if rest is None else rest.end()
    return [
        _Scan.of(text[:beginning]),
        _Scan.of(text[-_SCANNED_CHARS - 1 :], start=1),
    ]


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
