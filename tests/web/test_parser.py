"""
Tests for L{arbstr.web.parser}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from arbstr.web.parser import End, Head, Part, RequestParser

HEAD = b"POST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def read(*pieces: bytes) -> list[object]:
    """
    What these are, pieces of a body joined and the end as C{None}.

    @raise ApiError: they are no requests.
    """
    parser = RequestParser()
    for piece in pieces:
        parser.feed(piece)
    if parser.error is not None:
        raise parser.error
    found: list[object] = []
    for part in parser.parts:
        last = found[-1] if found else None
        if isinstance(part, bytes) and isinstance(last, bytes):
            found[-1] = last + part
        else:
            found.append(_plain(part))
    return found


def _plain(part: Part) -> object:
    return None if isinstance(part, End) else part


def bytewise(data: bytes) -> list[bytes]:
    """
    As slowly as it can come.
    """
    return [data[place : place + 1] for place in range(len(data))]


class RequestTests(SynchronousTestCase):
    """
    Requests as they should be, at once and byte by byte.
    """

    def assert_read(self, sent: bytes, *parts: object) -> None:
        """
        It is understood so.
        """
        self.assertEqual(read(sent), list(parts))
        self.assertEqual(read(*bytewise(sent)), list(parts))

    def head(self, **other: object) -> Head:
        """
        That of L{HEAD}, but for these.
        """
        told: dict[str, object] = {
            "method": b"POST",
            "target": b"/x?y",
            "version": b"HTTP/1.1",
            "headers": [(b"host", b"a"), (b"content-length", b"2")],
            "length": 2,
            "stays": True,
        }
        return Head(**{**told, **other})  # type: ignore[arg-type]

    def test_length(self) -> None:
        self.assert_read(HEAD + b"ok", self.head(), b"ok", None)

    def test_chunks(self) -> None:
        head = self.head(
            target=b"/",
            headers=[(b"host", b"a"), (b"transfer-encoding", b"chunked")],
            length=None,
        )
        sent = CHUNKED + b"1;x=y\r\no\r\n1\r\nk\r\n0\r\nTrailer: x\r\n\r\n"
        self.assert_read(sent, head, b"ok", None)

    def test_no_body(self) -> None:
        head = self.head(method=b"GET", headers=[(b"host", b"a")], length=0)
        self.assert_read(b"GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n", head, None)

    def test_close(self) -> None:
        """
        The client will not use the connection again.
        """
        sent = b"GET /x?y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        (head, _) = read(sent)
        assert isinstance(head, Head)
        self.assertFalse(head.stays)

    def test_older_version(self) -> None:
        """
        Nor with HTTP/1.0, whatever it says; it needs no host.
        """
        (head, _) = read(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert isinstance(head, Head)
        self.assertEqual((head.version, head.stays), (b"HTTP/1.0", False))

    def test_pipelined(self) -> None:
        """
        One after another, in one piece.
        """
        self.assert_read((HEAD + b"ok") * 2, *[self.head(), b"ok", None] * 2)

    def test_another_protocol(self) -> None:
        """
        Whoever offers one is answered in ours, the body and what follows too.
        """
        offer = b"Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        for head, body in ((HEAD, b"ok"), (CHUNKED, b"2\r\nok\r\n0\r\n\r\n")):
            sent = head.replace(b"Host: a\r\n", offer) + body + HEAD + b"ok"
            for pieces in ([sent], bytewise(sent)):
                found = read(*pieces)
                self.assertEqual(found[1:], [b"ok", None, self.head(), b"ok", None])
        sent = b"GET /x?y HTTP/1.1\r\n" + offer + b"\r\n" + HEAD + b"ok"
        self.assertEqual(read(sent)[1:], [None, self.head(), b"ok", None])

    def test_surrounding_spaces(self) -> None:
        (head, *_) = read(HEAD.replace(b"Host: a", b"Host: \t a \t") + b"ok")
        assert isinstance(head, Head)
        self.assertEqual(head.headers[0], (b"host", b"a"))


class ProgressTests(SynchronousTestCase):
    """
    What is still to come.
    """

    def test_awaits(self) -> None:
        parser = RequestParser()
        self.assertIsNone(parser.awaits)
        for piece, awaited in (
            (b"POST", "head"),
            (HEAD[4:], "body"),
            (b"o", "body"),
            (b"k", None),
            (HEAD[:9], "head"),
        ):
            parser.feed(piece)
            self.assertEqual(parser.awaits, awaited)
        self.assertEqual(parser.begun, 2)

    def test_endless_trailers(self) -> None:
        """
        They are limited as a head is.
        """
        parser = RequestParser()
        parser.feed(CHUNKED + b"2\r\nok\r\n0\r\n")
        parser.feed(b"X: x\r\n" * 1000)
        self.assertIsNone(parser.error)
        parser.feed(b"X: " + b"x" * 16_000)
        assert parser.error is not None
        self.assertEqual(parser.error.status, 431)

    def test_long_target(self) -> None:
        """
        It counts, also where there is no header that would be counted with it.
        """
        parser = RequestParser()
        parser.feed(b"GET /" + b"a" * 16_500 + b" HTTP/1.0\r\n\r\n")
        assert parser.error is not None
        self.assertEqual((parser.error.status, list(parser.parts)), (431, []))

    def test_long_body(self) -> None:
        """
        A body is not.
        """
        parser = RequestParser()
        parser.feed(CHUNKED)
        for _ in range(10):
            parser.feed(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
        self.assertIsNone(parser.error)

    def test_limit_is_of_one_head(self) -> None:
        """
        A head that begins behind a long body is not taken to be long.
        """
        body = b"x" * 50_000
        long = HEAD.replace(b"Content-Length: 2", b"Content-Length: 50000")
        parser = RequestParser()
        parser.feed(long + body + HEAD[:9])
        parser.feed(HEAD[9:] + b"ok")
        self.assertIsNone(parser.error)
        self.assertEqual(parser.begun, 2)
