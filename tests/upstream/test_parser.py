"""
Tests for L{arbstr.upstream.parser}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from arbstr.upstream.parser import ResponseParser

OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = OK + b"Content-Length: 2\r\n\r\nok"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"


def read(*pieces: bytes) -> tuple[ResponseParser, bytes]:
    """
    A parser that has read these, and the body that it found.
    """
    parser = ResponseParser()
    return parser, b"".join(map(parser.feed, pieces))


def bytewise(data: bytes) -> list[bytes]:
    """
    As slowly as it can come.
    """
    return [data[place : place + 1] for place in range(len(data))]


class WholeTests(SynchronousTestCase):
    """
    Responses as they should be.
    """

    def assert_read(self, sent: bytes, body: bytes = b"ok", *, again: bool) -> None:
        """
        It is understood, at once and byte by byte.

        @param again: whether the connection may be used again.
        """
        for pieces in ([sent], bytewise(sent)):
            parser, found = read(*pieces)
            self.assertEqual((parser.status, found), (200, body))
            self.assertIsNone(parser.fault)
            self.assertEqual((parser.complete, parser.reusable), (True, again))

    def test_length(self) -> None:
        self.assert_read(WHOLE, again=True)

    def test_chunks(self) -> None:
        chunked = b"Transfer-Encoding: Chunked\r\n\r\n1;x=y\r\no\r\n1\r\nk\r\n0\r\n"
        self.assert_read(OK + chunked + b"Trailer: x\r\n\r\n", again=True)

    def test_close(self) -> None:
        self.assert_read(
            OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok", again=False
        )

    def test_older_version(self) -> None:
        self.assert_read(WHOLE.replace(b"1.1", b"1.0"), again=False)

    def test_no_reason(self) -> None:
        self.assert_read(WHOLE.replace(b" OK", b""), again=True)

    def test_interim(self) -> None:
        self.assert_read(INTERIM * 20 + WHOLE, again=True)

    def test_headers(self) -> None:
        """
        Those of the response, not of interim ones, nor trailers.
        """
        parser, _ = read(INTERIM + WHOLE)
        self.assertEqual(parser.headers, [(b"content-length", b"2")])

    def test_first(self) -> None:
        """
        Where a name comes again, the first is kept apart.
        """
        parser, _ = read(OK + b"Vary: a\r\nX: x\r\nvary: b\r\n\r\n")
        self.assertEqual(parser.first, {b"vary": b"a", b"x": b"x"})
        self.assertEqual(len(parser.headers), 3)

    def test_no_body(self) -> None:
        parser, _ = read(b"HTTP/1.1 204 No Content\r\n\r\n")
        self.assertEqual((parser.complete, parser.reusable), (True, True))

    def test_until_the_end(self) -> None:
        """
        A body without length or chunks goes on until the connection ends.
        """
        parser, found = read(OK + b"\r\nok")
        self.assertEqual(found, b"ok")
        self.assertFalse(parser.complete)
        self.assertFalse(parser.delimited)

    def test_one_after_another(self) -> None:
        parser, _ = read(WHOLE)
        parser.begin()
        self.assertTrue(parser.silent)
        self.assertEqual(parser.feed(WHOLE), b"ok")
        self.assertTrue(parser.reusable)

    def test_silent(self) -> None:
        """
        One byte is not silence.
        """
        self.assertTrue(read()[0].silent)
        self.assertFalse(read(b"H")[0].silent)


class ExcessTests(SynchronousTestCase):
    """
    What comes after a response does not belong to it, and taints the
    connection.
    """

    def test_garbage(self) -> None:
        parser, found = read(WHOLE + b"extra")
        self.assertEqual((parser.fault, found), (None, b"ok"))
        self.assertEqual((parser.complete, parser.reusable), (True, False))

    def test_another_response(self) -> None:
        parser, found = read(WHOLE + WHOLE.replace(b"ok", b"no"))
        self.assertEqual((parser.fault, found), (None, b"ok"))
        self.assertEqual((parser.complete, parser.reusable), (True, False))


class FaultTests(SynchronousTestCase):
    """
    What is no HTTP, or too much of it.
    """

    def assert_faulty(self, sent: bytes, told: str) -> None:
        """
        It is refused, and said why.
        """
        parser, _ = read(sent)
        self.assertIn(told, str(parser.fault))

    def test_not_http(self) -> None:
        self.assert_faulty(b"SSH-2.0-OpenSSH_9.6\r\n", "Expected HTTP")

    def test_other_versions(self) -> None:
        for version in (b"2.0", b"0.9"):
            self.assert_faulty(WHOLE.replace(b"1.1", version), "a version other than")

    def test_statuses(self) -> None:
        for status in (b"-20", b"0", b"20", b"2000", b"abc"):
            self.assert_faulty(WHOLE.replace(b"200", status), "")
            self.assertIsNotNone(read(WHOLE.replace(b"200", status))[0].fault)

    def test_lengths(self) -> None:
        for lengths in (
            b"Content-Length: 2\r\nContent-Length: 2",
            b"Content-Length: 2\r\nContent-Length: 3",
            b"Content-Length: 2, 2",
            b"Content-Length: -2",
            b"Content-Length: 0x2",
            b"Content-Length: 99999999999999999999999",
            b"Content-Length: 2\r\nTransfer-Encoding: chunked",
            b"Transfer-Encoding: chunked\r\nContent-Length: 2",
        ):
            self.assertIsNotNone(read(OK + lengths + b"\r\n\r\nok")[0].fault, lengths)

    def test_codings(self) -> None:
        for coding in (b"gzip, chunked", b"identity", b"gzip", b"xchunked"):
            self.assert_faulty(
                OK + b"Transfer-Encoding: " + coding + b"\r\n\r\n", "other than chunked"
            )

    def test_chunks(self) -> None:
        chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n"
        for chunk in (
            b"-2\r\nok\r\n",
            b"xyz\r\n",
            b"f" * 20 + b"\r\n",
            b"2\r\nokk\r\n",
        ):
            self.assertIsNotNone(read(chunked + chunk)[0].fault, chunk)

    def test_headers(self) -> None:
        for header in (b"A b: c", b": c", b"no colon", b"A: b\r\n folded", b"A: \0"):
            sent = OK + header + b"\r\nContent-Length: 2\r\n\r\nok"
            self.assertIsNotNone(read(sent)[0].fault, header)

    def test_long_header(self) -> None:
        header = b"X: " + b"x" * 16 * 1024
        self.assert_faulty(OK + header + b"\r\n\r\n", "a header of over 16384 bytes")

    def test_many_headers(self) -> None:
        self.assert_faulty(OK + b"X: x\r\n" * 201 + b"\r\n", "more than 200 headers")
        self.assertIsNone(read(OK + b"X: x\r\n" * 200 + b"\r\n")[0].fault)

    def test_endless_header(self) -> None:
        """
        One that does not even end.
        """
        parser, _ = read(OK + b"X: ", *[b"x" * 65536] * 2)
        self.assertIn("a head of over 131072 bytes", str(parser.fault))

    def test_endless_trailers(self) -> None:
        """
        Behind a body that has come to its end.
        """
        chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
        for trailer in (b"X: x\r\n" * 10_000, b"X: " + b"x" * 60_000):
            parser, body = read(chunked, *[trailer] * 3)
            self.assertEqual(body, b"ok")
            self.assertIn("what is no body of over", str(parser.fault))

    def test_many_interim_responses(self) -> None:
        self.assert_faulty(INTERIM * 21, "more than 20 interim responses")

    def test_another_protocol(self) -> None:
        switching = b"HTTP/1.1 101 Switching Protocols\r\n"
        upgrade = b"Connection: Upgrade\r\nUpgrade: x\r\n"
        self.assert_faulty(switching + upgrade + b"\r\n", "another protocol")
        self.assertIsNotNone(read(switching + b"\r\n")[0].fault)
