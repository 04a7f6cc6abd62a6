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


class Policies:
    """
    The rules, ready to be matched.
    """

    def __init__(self, rules: Iterable[PolicyRule]) -> None:
        self._rules = {rule.name: rule for rule in rules}
        self._keywords = [
            (rule, _whole_words(rule.keywords))
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
        for rule, words in self._keywords:
            found = _search(words, last_user_text)
            if found:
                return PolicyMatch(rule, f"keyword '{found[0]}'")
        return PolicyMatch(None, "no policy named and no keyword matched")


def _search(words: re.Pattern[str], text: str) -> re.Match[str] | None:
    """
    The first match in the beginning of a text, or else in its end.
    """
    rest = _REST_OF_WORD.match(text, _SCANNED_CHARS)
    beginning = len(text) if rest is None else rest.end()
    return words.search(text, 0, beginning) or words.search(
        text, max(0, len(text) - _SCANNED_CHARS)
    )


def _whole_words(keywords: Iterable[str]) -> re.Pattern[str]:
    # \b would not do: a keyword such as "c++" begins or ends in a character
    # that is no part of a word.
    alternatives = "|".join(re.escape(keyword) for keyword in keywords)
    return re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)", re.IGNORECASE)
