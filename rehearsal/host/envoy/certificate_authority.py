"""Local certificate authority, created on first use in `.rehearsal/ca/` and shared by all stacks."""

from __future__ import annotations

import datetime as dt
import fcntl
import ipaddress
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rehearsal.host.errors import MachineError
from rehearsal.host.processes.atomic_files import make_folder, write_atomic

_AUTHORITY_LIFE = dt.timedelta(days=3650)
# Below the 47 days that CA/Browser Forum ballot SC-081v3 will allow.
_LEAF_LIFE = dt.timedelta(days=45)
_RENEW_BEFORE = dt.timedelta(days=15)
# Tolerates a clock that is set back after the certificate was issued.
_BACKDATE = dt.timedelta(hours=1)


@dataclass(frozen=True)
class Leaf:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Issue server and client certificates; `bundle` is a trust store with this CA and the public ones."""

    def __init__(self, folder: Path) -> None:
        self._folder = make_folder(folder)
        self.certificate = folder / "ca.pem"
        self.bundle = folder / "bundle.pem"
        self._key_file = folder / "ca-key.pem"
        with _locked(folder / ".lock"):
            self._certificate, self._key = self._load() or self._make()
            self._write_bundle()

    @property
    def pem(self) -> str:
        return self.certificate.read_text()

    def _load(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
        if not self.certificate.exists() or not self._key_file.exists():
            return None
        try:
            certificate = x509.load_pem_x509_certificate(self.certificate.read_bytes())
            key = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
        except ValueError as error:
            raise MachineError(
                f"{self._folder} does not hold a readable certificate authority ({error}): delete the folder "
                "to create a new one, which browsers must be configured to trust again"
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            return None
        return None if _is_due(certificate) else (certificate, key)

    def _make(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Kingdom rehearsal authority")])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATE)
            .not_valid_after(now + _AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        # The key first: a certificate without its key is treated as a damaged authority.
        write_atomic(self._key_file, _key_pem(key))
        write_atomic(self.certificate, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
        return certificate, key

    def _write_bundle(self) -> None:
        """Write the trust store of containers: this CA and the public ones of the machine."""
        public = next((path for path in _PUBLIC_BUNDLES if path.exists()), None)
        content = self.certificate.read_bytes() + (public.read_bytes() if public else b"")
        if not self.bundle.exists() or self.bundle.read_bytes() != content:
            write_atomic(self.bundle, content, mode=0o644)

    def server(self, folder: Path, names: Sequence[str]) -> Leaf:
        """Return a server certificate for `names` (DNS names or IPs) in `folder`, renewed when due."""
        return self._leaf(make_folder(folder), names[0], names, ExtendedKeyUsageOID.SERVER_AUTH)

    def client(self, folder: Path, subject: str) -> Leaf:
        """Return a client certificate with the common name `subject` in `folder`, renewed when due."""
        return self._leaf(make_folder(folder), subject, (), ExtendedKeyUsageOID.CLIENT_AUTH)

    def _leaf(self, folder: Path, subject: str, names: Sequence[str], usage: x509.ObjectIdentifier) -> Leaf:
        leaf = Leaf(folder / "certificate.pem", folder / "key.pem")
        wanted = sorted(names)
        if leaf.certificate.exists() and leaf.key.exists() and self._holds(leaf.certificate, subject, wanted):
            return leaf
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject[:64])]))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATE)
            .not_valid_after(now + _LEAF_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if wanted:
            alternatives = x509.SubjectAlternativeName([_general_name(name) for name in wanted])
            builder = builder.add_extension(alternatives, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        write_atomic(leaf.key, _key_pem(key))
        write_atomic(leaf.certificate, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
        return leaf

    def _holds(self, path: Path, subject: str, names: Sequence[str]) -> bool:
        try:
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
            certificate.verify_directly_issued_by(self._certificate)
            common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
            found: list[str] = []
            if names:
                extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
                found = sorted(str(name.value) for name in extension.value)
        except Exception:  # noqa: BLE001, RUF100 (any malformed certificate is issued again)
            return False
        return common == subject[:64] and found == list(names) and not _is_due(certificate)


_PUBLIC_BUNDLES = tuple(
    Path(path)
    for path in (
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/cert.pem",
    )
)


def _is_due(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_after_utc - dt.datetime.now(dt.UTC) < _RENEW_BEFORE


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a file lock, so that two stacks that start at the same time create one authority."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
