"""
Providers over TLS: who they are is always verified.
"""

from __future__ import annotations

from cryptography import x509
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.web.iweb import IPolicyForHTTPS

from ..certificates import DAY, Authority, self_signed
from ..faults import Fault, rst
from ..harness import chat, coroutine
from ..providers import FIRST, STREAM_HEAD, chunk, completion, delta, http
from .misbehaving import RETRY, MisbehavingTestCase

HEL = delta("Hel")


class TLSTestCase(MisbehavingTestCase):
    """
    Alpha is reached by TLS.
    """

    def setUp(self) -> None:
        super().setUp()
        self.fault = Fault("untrusted", "connect")
        self.authority = Authority.make()

    def certify(
        self,
        certificate: IOpenSSLServerConnectionCreator,
        policy: IPolicyForHTTPS | None,
    ) -> None:
        """
        Start the daemon.

        @param certificate: alpha's.
        @param policy: whom the daemon trusts; by default those whom the
            platform trusts.
        """
        self.alpha = self.provider("alpha", tls=certificate)
        self.start(tls_policy=policy, retry=RETRY)


class UntrustedTests(TLSTestCase):
    """
    Not a byte is sent to them.
    """

    back = "beta"

    async def is_refused(
        self,
        certificate: IOpenSSLServerConnectionCreator,
        policy: IPolicyForHTTPS | None,
        why: str,
    ) -> None:
        """
        Whatever is asked for, the other provider takes over; the log says why.
        """
        self.certify(certificate, policy)
        for stream in (False, True):
            self.daemon.circuits.record_success("alpha")
            await self.fails_over(stream)
            self.assertRegex(self.ledger.rows[-2].error_message or "", why)
        self.assertEqual(self.alpha.requests, [])

    @coroutine
    async def test_self_signed(self) -> None:
        """
        It vouches for itself.
        """
        await self.is_refused(
            self_signed(), self.authority.policy(), "TLS: .*certificate verify failed"
        )

    @coroutine
    async def test_unknown_authority(self) -> None:
        """
        By default nobody is trusted but whom the platform trusts.
        """
        await self.is_refused(
            self.authority.issue(), None, "TLS: .*certificate verify failed"
        )

    @coroutine
    async def test_another_authority(self) -> None:
        """
        One that nobody has heard of.
        """
        await self.is_refused(
            Authority.make().issue(),
            self.authority.policy(),
            "TLS: .*certificate verify failed",
        )

    @coroutine
    async def test_another_name(self) -> None:
        """
        It is genuine, but somebody else's.
        """
        await self.is_refused(
            self.authority.issue(x509.DNSName("other.test")),
            self.authority.policy(),
            "TLS: the certificate is for another name",
        )

    @coroutine
    async def test_expired(self) -> None:
        """
        It was right yesterday.
        """
        await self.is_refused(
            self.authority.issue(lasts=-DAY),
            self.authority.policy(),
            "TLS: .*certificate verify failed",
        )

    @coroutine
    async def test_no_tls(self) -> None:
        """
        Plain HTTP where TLS was expected.
        """
        secure = self.alpha.url.replace("http://", "https://")
        self.alpha.greeting = http(400, b"")
        self.start({"alpha": {"url": secure}}, retry=RETRY)
        for stream in (False, True):
            self.daemon.circuits.record_success("alpha")
            await self.fails_over(stream)
        self.assertEqual(self.alpha.requests, [])

    async def _is_unharmed(self) -> None:
        self.daemon.circuits.record_success("alpha")
        await super()._is_unharmed()


class TrustedTests(TLSTestCase):
    """
    Those that can be trusted may misbehave like others.
    """

    def setUp(self) -> None:
        super().setUp()
        self.certify(self.authority.issue(), self.authority.policy())

    @coroutine
    async def test_served(self) -> None:
        """
        Over one connection, as without TLS.
        """
        answer = await self.ask()
        self.assertEqual((answer.status, answer.json()), (200, completion()))
        answer = await self.ask(chat(stream=True))
        self.assertTrue(answer.body.endswith(b"data: [DONE]\n\n"))
        self.assertEqual(self.alpha.connected, 1)

    @coroutine
    async def test_reset(self) -> None:
        """
        Before there is an answer.
        """
        self.perform(rst)
        await self.fails_over(stream=False)

    @coroutine
    async def test_client_leaves(self) -> None:
        """
        The connection is cut: it does not take the provider's consent, which
        may be long in coming while it is still sending.
        """
        self.perform(STREAM_HEAD + chunk(FIRST) + chunk(HEL))
        begun = await self.begin_stream()
        await self.soon(lambda: begun.body.data.endswith(HEL))
        (connection,) = self.alpha.connections
        begun.leave()
        await connection.lost
        await self.soon(lambda: len(self.ledger.rows) == 1)
        self.assertEqual(self.row().error_status, 499)
