"""The local authority: stored, shared and renewed certificates."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from rehearsal.host.envoy import certificate_authority
from rehearsal.host.envoy.certificate_authority import Authority
from rehearsal.host.errors import MachineError


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_authority_is_created_once(authority: Authority, tmp_path: Path) -> None:
    again = Authority(tmp_path / "ca")
    assert again.pem == authority.pem
    assert authority.pem in authority.bundle.read_text()
    assert (tmp_path / "ca/ca-key.pem").stat().st_mode & 0o077 == 0


def test_authority_without_its_key_is_created_again(authority: Authority, tmp_path: Path) -> None:
    before = authority.pem
    (tmp_path / "ca/ca-key.pem").unlink()
    assert Authority(tmp_path / "ca").pem != before


def test_damaged_authority_is_named(authority: Authority, tmp_path: Path) -> None:
    authority.certificate.write_text("x")
    with pytest.raises(MachineError, match="does not hold a readable certificate authority"):
        Authority(tmp_path / "ca")


def test_server_certificate_has_its_names_and_is_reused(authority: Authority, tmp_path: Path) -> None:
    leaf = authority.server(tmp_path / "leaf", ["localhost", "127.0.0.1"])
    certificate = load(leaf.certificate)
    certificate.verify_directly_issued_by(load(authority.certificate))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert sorted(str(name.value) for name in names) == ["127.0.0.1", "localhost"]
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    again = authority.server(tmp_path / "leaf", ["localhost", "127.0.0.1"])
    assert load(again.certificate) == certificate
    other = authority.server(tmp_path / "leaf", ["localhost"])
    assert load(other.certificate) != certificate


def test_client_certificate_has_its_subject(authority: Authority, tmp_path: Path) -> None:
    certificate = load(authority.client(tmp_path / "leaf", "service").certificate)
    assert certificate.subject.rfc4514_string() == "CN=service"
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_certificate_is_renewed_before_it_expires(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(authority.client(tmp_path / "leaf", "service").certificate)
    life = first.not_valid_after_utc - first.not_valid_before_utc
    monkeypatch.setattr(certificate_authority, "_RENEW_BEFORE", life - dt.timedelta(hours=2))
    assert load(authority.client(tmp_path / "leaf", "service").certificate) == first
    monkeypatch.setattr(certificate_authority, "_RENEW_BEFORE", life)
    assert load(authority.client(tmp_path / "leaf", "service").certificate) != first


def test_certificate_of_another_authority_is_issued_again(authority: Authority, tmp_path: Path) -> None:
    leaf = Authority(tmp_path / "other").client(tmp_path / "leaf", "service")
    before = load(leaf.certificate)
    after = load(authority.client(tmp_path / "leaf", "service").certificate)
    assert after != before
    after.verify_directly_issued_by(load(authority.certificate))
