"""
Providers over TLS: who they are is always verified.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import (
    Certificate,
    PrivateCertificate,
    trustRootFromCertificates,
)
from twisted.web.client import BrowserLikePolicyForHTTPS

from .harness import DaemonTestCase, chat, coroutine
from .providers import (
    FIRST,
    STREAM_HEAD,
    Connection,
    Received,
    chunk,
    completion,
    delta,
)

LOOPBACK = x509.IPAddress(ip_address("127.0.0.1"))
DAY = timedelta(days=1)


@frozen
class Authority:
    """
    Issues certificates.
    """

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls) -> Authority:
        """
        A new one, which nobody trusts yet.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        certificate = (
            _certificate("Test authority", "Test authority", key.public_key(), DAY)
            .add_extension(constraints, critical=True)
            .sign(key, SHA256())
        )
        return cls(key, certificate)

    def issue(
        self, name: x509.GeneralName = LOOPBACK, lasts: timedelta = DAY
    ) -> IOpenSSLServerConnectionCreator:
        """
        A certificate for a server.

        @param lasts: from now on.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _certificate("Test server", "Test authority", key.public_key(), lasts)
            .add_extension(x509.SubjectAlternativeName([name]), critical=False)
            .sign(self.key, SHA256())
        )
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pem += certificate.public_bytes(Encoding.PEM)
        creator: IOpenSSLServerConnectionCreator = PrivateCertificate.loadPEM(
            pem
        ).options()
        return creator

    def policy(self) -> BrowserLikePolicyForHTTPS:
        """
        Trusts the certificates of this authority, and no others.
        """
        pem = self.certificate.public_bytes(Encoding.PEM)
        root = trustRootFromCertificates([Certificate.loadPEM(pem)])
        return BrowserLikePolicyForHTTPS(root)


def _name(common_name: str) -> x509.Name:
    attribute = x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)
    return x509.Name([attribute])


def _certificate(
    subject: str, issuer: str, key: ec.EllipticCurvePublicKey, lasts: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(
        subject_name=_name(subject),
        issuer_name=_name(issuer),
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - 2 * DAY,
        not_valid_after=now + lasts,
    )


class TLSTests(DaemonTestCase):
    """
    Which providers are talked to.
    """

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority.make()

    async def assert_refused(self, why: str) -> None:
        """
        The provider is not talked to, and the client is told why.
        """
        answer = await self.ask()
        self.assertEqual(answer.status, 502)
        self.assertEqual(answer.error()["code"], "provider_error")
        self.assertRegex(answer.error()["message"], f"alpha: TLS: .*{why}")
        self.assertEqual(self.providers["alpha"].requests, [])
        self.assertEqual(self.ledger.rows[0].attempts[0].outcome, "connect")
        self.assertEqual(self.daemon.circuits.failure_count("alpha"), 1)
        await self.soon(lambda: not self.providers["alpha"].connections)

    @coroutine
    async def test_trusted(self) -> None:
        self.provider("alpha", tls=self.authority.issue())
        self.start(tls_policy=self.authority.policy())
        answer = await self.ask()
        self.assertEqual((answer.status, answer.json()), (200, completion()))
        answer = await self.ask(chat(stream=True))
        self.assertTrue(answer.body.endswith(b"data: [DONE]\n\n"))
        self.assertEqual(self.providers["alpha"].connected, 1)

    @coroutine
    async def test_unknown_authority(self) -> None:
        """
        By default nobody is trusted but whom the platform trusts.
        """
        self.provider("alpha", tls=self.authority.issue())
        self.start(retry={"max_attempts": 1})
        await self.assert_refused("certificate verify failed")

    @coroutine
    async def test_another_authority(self) -> None:
        self.provider("alpha", tls=Authority.make().issue())
        self.start(tls_policy=self.authority.policy(), retry={"max_attempts": 1})
        await self.assert_refused("certificate verify failed")

    @coroutine
    async def test_another_name(self) -> None:
        self.provider("alpha", tls=self.authority.issue(x509.DNSName("other.test")))
        self.start(tls_policy=self.authority.policy(), retry={"max_attempts": 1})
        await self.assert_refused("the certificate is for another name")

    @coroutine
    async def test_expired(self) -> None:
        self.provider("alpha", tls=self.authority.issue(lasts=-DAY))
        self.start(tls_policy=self.authority.policy(), retry={"max_attempts": 1})
        await self.assert_refused("certificate verify failed")

    @coroutine
    async def test_another_provider_takes_over(self) -> None:
        self.provider("alpha", tls=self.authority.issue())
        self.provider("beta")
        self.start()
        answer = await self.ask()
        self.assertEqual(answer.header("X-Arbstr-Provider"), "beta")
        self.assertEqual(answer.header("X-Arbstr-Retries"), "1/alpha")

    @coroutine
    async def test_client_leaves(self) -> None:
        """
        The connection is cut: it does not take the provider's consent, which
        may be long in coming while it is still sending.
        """

        def stream(connection: Connection, request: Received) -> None:
            connection.write(STREAM_HEAD + chunk(FIRST) + chunk(delta("Hel")))

        alpha = self.provider("alpha", stream, self.authority.issue())
        self.start(tls_policy=self.authority.policy())
        begun = await self.begin_stream()
        await self.soon(lambda: begun.body.data.endswith(delta("Hel")))
        (connection,) = alpha.connections
        begun.leave()
        await connection.lost
        await self.soon(lambda: len(self.ledger.rows) == 1)
        self.assertEqual(self.ledger.rows[0].error_status, 499)
