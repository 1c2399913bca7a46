"""Generated values of a cloud, derived by hash: the same seed gives the same value on every machine."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from datetime import UTC, datetime, timedelta
from typing import Final

# A self-signed certificate whose key was discarded: it can be parsed, and no system trusts it.
CERTIFICATE: Final = """\
-----BEGIN CERTIFICATE-----
MIIBWDCB/6ADAgECAgEBMAoGCCqGSM49BAMCMCkxJzAlBgNVBAMMHnJlaGVhcnNh
bCBhdXRob3JpdHksIHNpbXVsYXRlZDAgFw0yNjAxMDEwMDAwMDBaGA8yMTI2MDEw
MTAwMDAwMFowKTEnMCUGA1UEAwwecmVoZWFyc2FsIGF1dGhvcml0eSwgc2ltdWxh
dGVkMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE+rpDHMoI/n1mu/iiIsiiDqt2
u9JK4TVvtldaWKxkH6n462JKQ0Nlojqbs9lNCCf128M5cGUr556MFYVrU9FFY6MW
MBQwEgYDVR0TAQH/BAgwBgEB/wIBADAKBggqhkjOPQQDAgNIADBFAiB+SpvtyLXq
mm9hI7Ny+4C8z94NzFfVjqylmuCaLuSOgQIhAOsTRq+fPzPf8veZiQHqPKnf+nht
VzDttcqPdQ+8v1ww
-----END CERTIFICATE-----
"""
_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)


def digest(*seed: str) -> bytes:
    """Return the 32-byte hash of `seed`. Its parts are separated, so ("a", "bc") and ("ab", "c") differ."""
    state = hashlib.sha256()
    for part in seed:
        encoded = part.encode()
        state.update(len(encoded).to_bytes(8, "big"))
        state.update(encoded)
    return state.digest()


def hexadecimal(length: int, *seed: str) -> str:
    """Return lower-case hexadecimal digits, at most 64: 24 for an Atlas id, 32 for a Cloudflare one."""
    return digest(*seed).hex()[:length]


def number(lowest: int, highest: int, *seed: str) -> int:
    """Return an integer in [lowest, highest]."""
    return lowest + int.from_bytes(digest(*seed)[:8], "big") % (highest - lowest + 1)


def digits(length: int, *seed: str) -> str:
    """Return decimal digits without a leading zero, like Google's numeric ids."""
    return str(number(10 ** (length - 1), 10**length - 1, *seed))


def uuid(*seed: str) -> str:
    text = hexadecimal(32, *seed)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def address(network: str, *seed: str) -> str:
    """Return a host address of `network`, never its first or last one."""
    pool = ipaddress.ip_network(network)
    return str(pool[number(1, max(1, pool.num_addresses - 2), *seed)])


def subnet(network: str, prefix: int, *seed: str) -> str:
    """Return one of the blocks of length `prefix` within `network`."""
    pool = ipaddress.ip_network(network)
    offset = number(0, 2 ** (prefix - pool.prefixlen) - 1, *seed) * 2 ** (pool.max_prefixlen - prefix)
    return f"{pool[offset]}/{prefix}"


def encoded(length: int, *seed: str) -> str:
    """Return `length` bytes (at most 32) in Base64, as in fingerprints and etags."""
    return base64.b64encode(digest(*seed)[:length]).decode()


def moment(*seed: str) -> str:
    """Return a time in the first half of 2026, RFC 3339 in UTC."""
    return (_EPOCH + timedelta(seconds=number(0, 15_000_000, *seed))).strftime("%Y-%m-%dT%H:%M:%SZ")


def certificate_base64() -> str:
    return base64.b64encode(CERTIFICATE.encode()).decode()


def client_certificate(subject: str, *seed: str) -> str:
    """Return a self-signed client certificate and its private key as PEM, derived from `seed`."""
    # Imported here because the import takes 0.1 s and only one resource type needs it.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.derive_private_key(number(2**200, 2**220, *seed), ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject[:64] or "client")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(number(1, 2**60, *seed, "serial"))
        .not_valid_before(_EPOCH)
        .not_valid_after(_EPOCH + timedelta(days=36_500))
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return (certificate.public_bytes(serialization.Encoding.PEM) + private).decode()
