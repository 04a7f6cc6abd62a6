"""
Tests for L{arbstr.upstream.alike}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from arbstr.upstream.alike import Alike

LESSONS = 4


def said(content: str, more: str = '"index":0') -> bytes:
    """
    An event with this content, which is written as it is.
    """
    parts = more.encode(), content.encode("utf-8", "surrogateescape")
    return b'{"choices":[{%b,"delta":{"content":"%b"}}]}' % parts


class AlikeTests(SynchronousTestCase):
    """
    L{Alike}.
    """

    def learnt(self, data: bytes) -> Alike:
        """
        What is known after one event.
        """
        alike = Alike()
        alike.learn(data)
        return alike

    def test_nothing_before(self) -> None:
        self.assertIsNone(Alike().chars(said("a")))

    def test_alike(self) -> None:
        """
        Characters are counted, not bytes, and there may be none.
        """
        alike = self.learnt(said("Hello"))
        for content in ("Hello", "a", "", " ", "größe 😀", "\x7f", "}", ","):
            self.assertEqual(alike.chars(said(content)), len(content), content)

    def test_space(self) -> None:
        """
        Python's C{json} puts one behind the colon.
        """
        before, after = b' {"delta": {"content": "', b'"}, "id": "x"}'
        alike = self.learnt(before + b"a" + after)
        self.assertEqual(alike.chars(before + b"abc" + after), 3)

    def test_another(self) -> None:
        """
        Whatever differs in more is another event.
        """
        alike = self.learnt(said("Hello"))
        data = said("a")
        for other in (
            said("a", '"index":1'),
            data + b" ",
            data[:-1],
            said('","finish_reason":"stop'),
            data.replace(b"content", b"refusal"),
            b"",
        ):
            self.assertIsNone(alike.chars(other), other)

    def test_letters_that_do_not_stand_for_themselves(self) -> None:
        """
        What is escaped has to be parsed, and so has what JSON does not allow.
        """
        alike = self.learnt(said("Hello"))
        for content in (r"\n", r"\u00e9", "\\", '"', "\n", "\x00", "\udcff", "a\udce9"):
            self.assertIsNone(alike.chars(said(content)), content)

    def test_surrogate(self) -> None:
        """
        Half of a pair is no UTF-8.
        """
        alike = self.learnt(said("Hello"))
        half = said("?").replace(b"?", b"\xed\xa0\x80")
        self.assertIsNone(alike.chars(half))

    def test_overlap(self) -> None:
        """
        What is before the content and what is behind it are not the same bytes.
        """
        alike = self.learnt(b'{"content":"aa"')
        self.assertEqual(alike.chars(b'{"content":""'), 0)
        self.assertIsNone(alike.chars(b'{"content":"'))

    def test_ambiguous(self) -> None:
        """
        Nothing is learnt where it cannot be told which string is the content.
        """
        for data in (
            said("a", '"content":"b"'),
            said("a", '"content" : "b"'),
            said(r"a\n"),
            said("a", r'"x\"content":"b"'),
            b'{"delta":{"content" : "a"}}',
            b'{"delta":{"content":null}}',
        ):
            self.assertIsNone(self.learnt(data).chars(data), data)

    def test_learns_again(self) -> None:
        """
        The last event counts.
        """
        alike = self.learnt(said("a", '"index":0'))
        alike.learn(said("a", '"index":1'))
        self.assertEqual(alike.chars(said("abc", '"index":1')), 3)
        self.assertIsNone(alike.chars(said("abc", '"index":0')))

    def test_gives_up(self) -> None:
        """
        But not for ever.
        """
        alike = Alike()
        for number in range(LESSONS + 1):
            alike.learn(said("a", f'"index":{number}'))
        self.assertEqual(alike.chars(said("a", f'"index":{LESSONS - 1}')), 1)
        self.assertIsNone(alike.chars(said("a", f'"index":{LESSONS}')))
