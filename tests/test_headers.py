"""
Tests for L{arbstr.headers}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from arbstr.headers import first_of, last_text, read_headers, set_headers, values_of

READ = [(b"host", b"a"), (b"x-it", b"1"), (b"X-It", b"gr\xc3\xb6\xff")]


class ReadTests(SynchronousTestCase):
    """
    Headers that have come.
    """

    def setUp(self) -> None:
        self.headers = read_headers(READ)

    def test_as_twisted_has_them(self) -> None:
        expected = Headers()
        for name, value in READ:
            expected.addRawHeader(name, value)
        self.assertEqual(self.headers, expected)

    def test_long_name(self) -> None:
        """
        It is there as well, though its spelling is not remembered.
        """
        name = b"x-" + b"y" * 100
        self.assertEqual(read_headers([(name, b"1")]), Headers({name: [b"1"]}))

    def test_values(self) -> None:
        self.assertEqual(values_of(self.headers, b"X-It"), [b"1", b"gr\xc3\xb6\xff"])
        self.assertEqual(list(values_of(self.headers, b"X-Other")), [])

    def test_first(self) -> None:
        self.assertEqual(first_of(self.headers, b"x-it"), b"1")
        self.assertEqual(first_of(self.headers, b"x-other"), b"")

    def test_last(self) -> None:
        """
        As text, whatever it is.
        """
        self.assertEqual(last_text(self.headers, "X-It"), "gr\xf6\ufffd")
        self.assertIsNone(last_text(self.headers, "X-Other"))


class SetTests(SynchronousTestCase):
    """
    Headers that go out.
    """

    def assert_set(self, value: str, line: bytes) -> None:
        """
        A value goes out so.
        """
        headers = Headers({"X-It": ["before"]})
        set_headers(headers, {"x-it": value})
        self.assertEqual(list(headers.getAllRawHeaders()), [(b"X-It", [line])])

    def test_plain(self) -> None:
        """
        In place of what was there, under the usual spelling of its name.
        """
        self.assert_set("after", b"after")

    def test_other_letters(self) -> None:
        self.assert_set("größe\t😀", "größe\t😀".encode())

    def test_one_line(self) -> None:
        """
        No header can be made up inside another.
        """
        for end in ("\r\n", "\n", "\r", "\0"):
            self.assert_set(f"1{end}X-Other: 2", b"1 X-Other: 2")
