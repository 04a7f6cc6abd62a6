"""
Which policy a request falls under.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import define, frozen

from arbstr.config.model import PolicyRule
from arbstr.errors import bad_request

# Keywords are looked for in both ends of a message: a match must not cost the
# reactor a scan over megabytes.
_SCANNED_CHARS = 65_536
# The word in which the scan of the beginning ends, so that half of it is not
# taken for a whole one.
_REST_OF_WORD = re.compile(r"\w{0,1024}")


# A keyword may be found so often within other words before all words are listed,
# which takes longer than one search but less than many.
_MOST_PARTS_OF_WORDS = 64
_WORD = re.compile(r"\w+")


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


_NO_MATCH = PolicyMatch(None, "no policy named and no keyword matched")


@frozen
class _Keyword:
    """
    One keyword, ready to be looked for.

    @ivar folded: without regard to case.
    @ivar pattern: finds it as a whole word.
    @ivar is_word: it has no other characters than words have.
    """

    folded: str
    pattern: re.Pattern[str]
    is_word: bool

    @classmethod
    def of(cls, keyword: str) -> _Keyword:
        """
        One as it is configured.
        """
        folded = _fold(keyword)
        # \b would not do: a keyword such as "c++" begins or ends in a character
        # that is no part of a word.
        pattern = re.compile(rf"(?<!\w){re.escape(folded)}(?!\w)")
        return cls(folded, pattern, _WORD.fullmatch(folded) is not None)


class Policies:
    """
    The rules, ready to be matched.
    """

    def __init__(self, rules: Iterable[PolicyRule]) -> None:
        self._rules = {rule.name: rule for rule in rules}
        self._named = {
            name: PolicyMatch(rule, "named by X-Arbstr-Policy")
            for name, rule in self._rules.items()
        }
        self._words = [
            _fold(word) for rule in self._rules.values() for word in rule.keywords
        ]
        self._keywords = [
            (rule, tuple(map(_Keyword.of, rule.keywords)))
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
            named = self._named.get(header)
            if named is None:
                known = ", ".join(self._rules) or "none configured"
                raise bad_request(
                    f"Unknown policy '{header}' in X-Arbstr-Policy, expected one of: "
                    f"{known}",
                    param="X-Arbstr-Policy",
                    code="policy_not_found",
                )
            return named
        if len(last_user_text) <= _SCANNED_CHARS:
            folded = _fold(last_user_text)
            if not [word for word in self._words if word in folded]:
                # Nearly always: they are not even parts of other words.
                return _NO_MATCH
        ends = _ends(last_user_text) if self._keywords else []
        for rule, keywords in self._keywords:
            for end in ends:
                found = end.search(keywords)
                if found is not None:
                    return PolicyMatch(rule, f"keyword '{found}'")
        return _NO_MATCH


@define
class _Scan:
    """
    The part of a message in which keywords are looked for.

    @ivar folded: the same without regard to case.
    @ivar start: where it begins; what is before may be the rest of a word.
    @ivar _words: all words of it, once somebody had to know.
    """

    text: str
    folded: str
    start: int
    _words: frozenset[str] | None = None

    @classmethod
    def of(cls, text: str, start: int = 0) -> _Scan:
        """
        One end of a message, or all of a short one.
        """
        return cls(text, _fold(text), start)

    def search(self, keywords: Iterable[_Keyword]) -> str | None:
        """
        The first of the keywords that is a whole word here, as it is written.
        """
        places = map(self._find, keywords)
        first = min((each for each in places if each is not None), default=None)
        return None if first is None else self.text[first[0] : first[1]]

    def _find(self, keyword: _Keyword) -> tuple[int, int] | None:
        start = self.folded.find(keyword.folded, self.start)
        for _ in range(_MOST_PARTS_OF_WORDS):
            if start < 0:
                return None
            end = start + len(keyword.folded)
            before, after = self.folded[start - 1 : start], self.folded[end : end + 1]
            if not _is_word(before) and not _is_word(after):
                return start, end
            start = self.folded.find(keyword.folded, start + 1)
        if keyword.is_word and keyword.folded not in self._all_words():
            return None
        found = keyword.pattern.search(self.folded, self.start)
        return None if found is None else found.span()

    def _all_words(self) -> frozenset[str]:
        if self._words is None:
            self._words = frozenset(_WORD.findall(self.folded, self.start))
        return self._words


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


def _fold(text: str) -> str:
    """
    Without regard to case, and of the same length: the one letter whose small
    form is two is taken for its like.
    """
    return text.replace("\u0130", "I").lower()


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
