from __future__ import annotations

from ipaddress import ip_network

import pytest

from app.http.client_address import ClientAddresses

PROXIES = ClientAddresses([ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")])


def client_address(peer: str, *forwarded: str) -> str:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return PROXIES.find({"client": (peer, 1), "headers": headers})


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.2.3.4, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["1.2.3.4", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["nonsense, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("2001:db8::1", ["2a00:1:2:3:4:5:6:7"], "2a00:1:2:3::/64"),
        ("", ["198.51.100.1"], "unknown"),
    ],
)
def test_only_entries_of_trusted_proxies_are_honored(peer: str, forwarded: list[str], client: str) -> None:
    assert client_address(peer, *forwarded) == client


@pytest.mark.parametrize("forwarded", [["198.51.100.1"], ["1.2.3.4", "198.51.100.1"]])
def test_other_headers_and_repeated_ones_make_no_difference(forwarded: list[str]) -> None:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    for others in range(3):
        accepted = [(b"accept", b"%d" % number) for number in range(others)]
        scope = {"client": ("10.0.0.1", 1), "headers": [*accepted, *headers]}
        assert PROXIES.find(scope) == "198.51.100.1"


def test_long_header_is_read_from_its_end() -> None:
    assert client_address("10.0.0.1", "1.1.1.1, " * 10_000 + "198.51.100.1") == "198.51.100.1"
