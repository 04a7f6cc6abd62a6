"""
Certificates of a test's own.
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
        return _creator(_pem(key, certificate))

    def policy(self) -> BrowserLikePolicyForHTTPS:
        """
        Trusts the certificates of this authority, and no others.
        """
        pem = self.certificate.public_bytes(Encoding.PEM)
        root = trustRootFromCertificates([Certificate.loadPEM(pem)])
        return BrowserLikePolicyForHTTPS(root)


def self_signed() -> IOpenSSLServerConnectionCreator:
    """
    A server's certificate that nobody but itself vouches for.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _certificate("Test server", "Test server", key.public_key(), DAY)
        .add_extension(x509.SubjectAlternativeName([LOOPBACK]), critical=False)
        .sign(key, SHA256())
    )
    return _creator(_pem(key, certificate))


def _pem(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> bytes:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def _creator(pem: bytes) -> IOpenSSLServerConnectionCreator:
    creator: IOpenSSLServerConnectionCreator = PrivateCertificate.loadPEM(pem).options()
    return creator


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
