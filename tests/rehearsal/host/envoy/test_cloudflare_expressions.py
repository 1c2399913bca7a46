"""Expressions of Cloudflare's rules language, evaluated as Envoy's matchers."""

from __future__ import annotations

import pytest

from rehearsal.host.envoy.cloudflare_expressions import UnsupportedError, alternatives
from tests.support.cloudflare import holds

REQUEST = {
    ":method": "GET",
    ":path": "/v1/things.json?page=2",
    ":authority": "api.example.com:8443",
    "x-a": "One",
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("true", True),
        ("ssl", True),
        ("false", False),
        ('http.request.method eq "GET"', True),
        ('http.request.method == "POST"', False),
        ('http.request.method ne "POST"', True),
        ('not http.request.method eq "GET"', False),
        ('http.request.method in {"POST" "GET"}', True),
        ('http.host eq "api.example.com"', True),
        ('http.request.uri.path eq "/v1/things.json"', True),
        ('http.request.uri.path eq "/v1"', False),
        ('starts_with(http.request.uri.path, "/v1/")', True),
        ('ends_with(http.request.uri.path, ".json")', True),
        ('ends_with(http.request.uri.path, "=2")', False),
        ('http.request.uri contains "page="', True),
        ('http.request.uri.query eq "page=2"', True),
        ('http.request.uri.path.extension eq "json"', True),
        ('http.request.uri.path matches "^/v[0-9]+/"', True),
        ('http.request.uri.path matches "things$"', False),
        ('http.request.uri.path wildcard "/V1/*"', True),
        ('http.request.uri.path strict wildcard "/V1/*"', False),
        ('http.request.headers["X-A"][0] eq "One"', True),
        ('lower(http.request.headers["x-a"][0]) eq "one"', True),
        ('any(http.request.headers["x-a"][*] eq "Two")', False),
        ('http.request.headers["x-b"][0] ne "x"', True),
        ('http.user_agent eq ""', True),
        ('true and false or http.request.method eq "GET"', True),
        ('true and (false or http.request.method eq "PUT")', False),
        ('http.request.method eq "GET" xor http.host eq "api.example.com"', False),
        ('http.request.method eq "GET" ^^ http.host eq "x"', True),
        ('not (http.request.method eq "GET" && http.host eq "x")', True),
    ],
)
def test_expression_is_evaluated_as_cloudflare_does(expression: str, expected: bool) -> None:
    assert holds(expression, REQUEST) == expected


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ('ip.src eq "192.0.2.1"', "ip.src is not supported"),
        ("http.host bogus 1", "the operator 'bogus' on http.host is not supported"),
        ('http.host eq "a" http.host', "is unexpected"),
        ('(http.host eq "a"', r"'\)' is missing"),
        ("http.host eq", "expected a value|the end"),
        ("", "'the end' is unexpected"),
    ],
)
def test_malformed_and_unsupported_expressions_are_refused(expression: str, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        alternatives(expression)


def test_number_of_alternatives_is_limited() -> None:
    one = 'http.host eq "a"'
    assert len(alternatives(" or ".join([one] * 64))) == 64
    with pytest.raises(UnsupportedError, match="more than 64 alternatives"):
        alternatives(" or ".join([one] * 65))
