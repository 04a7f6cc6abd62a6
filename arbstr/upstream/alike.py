"""
Events that are alike but for their text.
"""

from __future__ import annotations

import re

_CONTENT = re.compile(rb'"content": ?"([^"]*)"')
# What stands for itself in a JSON string, if it is UTF-8.
_TEXT = re.compile(rb'[^"\\\x00-\x1f]*')
_MOST_LESSONS = 4


class Alike:
    """
    What the events of a stream have in common.  In most streams each says what the
    last did, save for a few letters of content, and need not be parsed to know so.
    """

    def __init__(self) -> None:
        self._before = self._behind = b""
        self._lessons = _MOST_LESSONS

    def learn(self, data: bytes) -> None:
        """
        An event said no more than a piece of content.  Nothing is learnt from the
        fifth of a stream on: what is not alike by then never will be.

        @param data: what it said, a JSON object.
        """
        if not self._lessons:
            return
        self._lessons -= 1
        # Every quote begins or ends a string, and only one string is that name.
        if b"\\" not in data and data.count(b'"content"') == 1:
            content = _CONTENT.search(data)
            if content is not None:
                start, end = content.span(1)
                self._before, self._behind = data[:start], data[end:]

    def chars(self, data: bytes) -> int | None:
        """
        How many characters of content an event adds that is like those before;
        C{None} if it is not.
        """
        before, behind = self._before, self._behind
        if not (before and data.startswith(before) and data.endswith(behind)):
            return None
        start, end = len(before), len(data) - len(behind)
        if start > end or not _TEXT.fullmatch(data, start, end):
            return None
        try:
            return len(data[start:end].decode("utf-8"))
        except UnicodeDecodeError:
            return None
