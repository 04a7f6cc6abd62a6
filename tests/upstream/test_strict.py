"""
Tests for L{arbstr.upstream.strict}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from arbstr.upstream.strict import dump, parse


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


class DumpTests(SynchronousTestCase):
    """
    L{dump} writes what clients are told.
    """

    def test_object(self) -> None:
        """
        Without spaces, in UTF-8.
        """
        value = {"a": "größe", "b": [1, 0.5, None]}
        self.assertEqual(dump(value), '{"a":"größe","b":[1,0.5,null]}'.encode())

    def test_halves_of_a_pair(self) -> None:
        """
        What UTF-8 has no place for is escaped.
        """
        self.assertEqual(dump({"a": "é\ud83d"}), '{"a":"é\\ud83d"}'.encode())

    def test_large_numbers(self) -> None:
        """
        No digit is lost.
        """
        self.assertEqual(dump({"a": 2**70}), b'{"a":1180591620717411303424}')
