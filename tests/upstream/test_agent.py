"""
Tests for L{arbstr.upstream.agent}.
"""

from __future__ import annotations

from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.web.client import BrowserLikePolicyForHTTPS
from twisted.web.http_headers import Headers
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from arbstr.upstream.agent import EncodedResponse
from arbstr.upstream.connections import Connections

from .connecting import ConnectionsTestCase


class EncodingTests(ConnectionsTestCase):
    """
    Nothing is ever inflated.
    """

    def assert_refused(self, *headers: bytes) -> None:
        """
        A response with these headers is a failure, and its connection is cut.
        """
        getting = self.get()
        line = self.connect()
        line.answer(*headers, body=b"\x1f\x8b", length=100)
        self.failureResultOf(getting, EncodedResponse)
        self.assertTrue(line.transport.disconnected)

    def test_identity_is_asked_for(self) -> None:
        """
        treq would ask for gzip by itself.
        """
        self.get()
        request = self.connect().request()
        self.assertIn(b"\r\nAccept-Encoding: identity\r\n", request)
        self.assertNotIn(b"gzip", request)

    def test_identity_overrides(self) -> None:
        """
        Whatever the caller would have asked for.
        """
        headers = Headers({"Accept-Encoding": ["br", "gzip"]})
        self.get(headers=headers)
        request = self.connect().request()
        self.assertEqual(request.lower().count(b"accept-encoding:"), 1)
        self.assertIn(b"\r\nAccept-Encoding: identity\r\n", request)

    def test_other_headers_pass(self) -> None:
        """
        The caller's headers are sent, and left as they are.
        """
        headers = Headers({"OpenAI-Beta": ["x=1"]})
        self.get(headers=headers)
        self.assertIn(b"x=1", self.connect().request())
        self.assertEqual(headers, Headers({"OpenAI-Beta": ["x=1"]}))

    def test_gzip_is_refused(self) -> None:
        """
        A few kilobytes of it may be hundreds of megabytes.
        """
        self.assert_refused(b"Content-Encoding: gzip")

    def test_among_others(self) -> None:
        """
        One encoding is enough.
        """
        self.assert_refused(b"Content-Encoding: identity, gzip")

    def test_in_a_second_header(self) -> None:
        """
        Wherever it stands.
        """
        self.assert_refused(b"Content-Encoding: identity", b"Content-Encoding: br")

    def test_identity_is_accepted(self) -> None:
        """
        Some servers say that they did nothing.
        """
        getting = self.get()
        self.connect().answer(b"Content-Encoding: Identity")
        self.assertEqual(self.read(getting), b"{}")


@implementer(IPolicyForHTTPS)
class Recording(BrowserLikePolicyForHTTPS):
    """
    Remembers whose certificates were to be verified.
    """

    def __init__(self) -> None:
        super().__init__()
        self.verified: list[tuple[bytes, int]] = []

    def creatorForNetloc(
        self, hostname: bytes, port: int
    ) -> IOpenSSLClientConnectionCreator:
        self.verified.append((hostname, port))
        return super().creatorForNetloc(hostname, port)


class VerificationTests(ConnectionsTestCase):
    """
    TLS is verified by the name in the URL.
    """

    def setUp(self) -> None:
        super().setUp()
        self.policy = Recording()
        self.connections = Connections(self.reactor, self.policy)

    def test_https(self) -> None:
        """
        The name is the one that was configured.
        """
        self.get("https://alpha/v1/models")
        self.assertEqual(self.policy.verified, [(b"alpha", 443)])
        self.assert_handshake(self.connect().request())

    def test_verified_by_default(self) -> None:
        """
        Nobody has to ask for it.
        """
        self.connections = Connections(self.reactor)
        self.get("https://alpha/v1/models")
        self.assert_handshake(self.connect().request())

    def assert_handshake(self, sent: bytes) -> None:
        """
        It begins with a TLS handshake, which names the server.
        """
        self.assertEqual(sent[:2], b"\x16\x03")
        self.assertIn(b"alpha", sent)

    def test_http(self) -> None:
        """
        There is nothing to verify.
        """
        self.get("http://alpha/v1/models")
        self.assertEqual(self.policy.verified, [])
