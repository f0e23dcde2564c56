"""The sandbox's own certificate authority, one certificate for all host names it answers to, and its token key."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOSTS = (
    "management.azure.com",
    "login.microsoftonline.com",
    "ml.azure.com",
    "*.api.azureml.ms",
    "*.experiments.azureml.net",
    "*.modelmanagement.azureml.net",
    "*.blob.core.windows.net",
    "localhost",
)
"""The host names in the certificate; `*.x` covers one label."""

_LIFETIME = timedelta(days=3650)
_PRIVATE = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


@dataclass(frozen=True, slots=True)
class Keys:
    """The certificates and keys of one DIR; they are made on first use and kept from then on."""

    folder: Path

    @property
    def authority(self) -> Path:
        """The certificate that clients are told to trust."""
        return self.folder / "ca.pem"

    @property
    def _served(self) -> Path:
        return self.folder / "pki" / "tls.pem"

    @property
    def _token_key(self) -> Path:
        return self.folder / "pki" / "token.pem"

    def obtain(self) -> None:
        """Make the files that are missing. The authority's private key is not kept, so it can sign nothing else."""
        self._served.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (self.authority.exists() and self._served.exists()):
            authority, served = _certificates()
            write_private(self._served, served)
            write_private(self.authority, authority)
        if not self._token_key.exists():
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            write_private(self._token_key, key.private_bytes(*_PRIVATE))

    def tls(self) -> ssl.SSLContext:
        """The TLS context of the server's side; HTTP/1.1 only."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._served)
        context.set_alpn_protocols(["http/1.1"])
        return context

    def token_key(self) -> rsa.RSAPrivateKey:
        """The key that signs this DIR's tokens."""
        key = serialization.load_pem_private_key(self._token_key.read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 - made above
        return key


def private(path: str, flags: int) -> int:
    """An opener for `open`: a file that is made now is read by its owner only."""
    return os.open(path, flags, 0o600)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads, all or nothing."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)


def _certificates() -> tuple[bytes, bytes]:
    """The authority's certificate; the served certificate after its key."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "azureml-sandbox")])
    identifier = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    root = (
        _certificate(root_name, root_name, root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    served_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOSTS[0])])
    served = (
        _certificate(served_name, root_name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return root.public_bytes(pem), key.private_bytes(*_PRIVATE) + served.public_bytes(pem)


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
