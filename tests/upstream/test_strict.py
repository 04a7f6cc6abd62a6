"""
Tests for L{arbstr.upstream.strict}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from arbstr.upstream.strict import parse


class ParseTests(SynchronousTestCase):
    """
    L{parse} decodes what providers send.
    """

    def test_json(self) -> None:
        """
        JSON is decoded.
        """
        self.assertEqual(parse(b' {"a": ["\xc3\xa9", 1]}'), {"a": ["é", 1]})

    def test_halves_of_a_pair(self) -> None:
        """
        Streams cut an emoji in two.
        """
        self.assertEqual(parse(b'["\\ud83d"]'), ["\ud83d"])

    def test_other(self) -> None:
        """
        Anything else is C{None}.
        """
        others = (
            b"",
            b"<html>",
            b'{"a": NaN}',
            b'{"a": "\xff"}',
            b"[1e400, Infinity]",
            b"[" * 100_000,
            b"9" * 5000,
        )
        for body in others:
            self.assertIsNone(parse(body), body[:20])
