"""Formats of text values: a valid and an invalid value of each."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.constraints.formats import fault, label_fault


@pytest.mark.parametrize(
    ("name", "valid", "invalid"),
    [
        ("rfc3339", "2026-01-03T02:00:00+01:00", "2026-01-03 02:00"),
        ("cidr", "10.0.0.0/20", "10.0.0.0"),
        ("ip", "2001:db8::1", "10.0.0.256"),
        ("ip-or-cidr", "10.0.0.1", "10.0.0.0/40"),
        ("go-duration", "1h30m", "90 minutes"),
        ("seconds-duration at least 86400s", "86400s", "86399s"),
        ("hh:mm", "23:59", "24:00"),
        ("hh:00", "03:00", "03:30"),
        ("json", "[]", "{'a': 1}"),
        ("iam-policy-json", "{}", "[]"),
        ("iam-member", "group:ops@example.com", "ops@example.com"),
        ("iam-member", "kind-of-later:ops@example.com", "deleted:user:ops@example.com"),
        ("iam-member", "projectReaders", "projectNobody"),
        ("trailing-dot", "example.com.", "example.com"),
        ("non-empty", "a", ""),
        ("base64", "aGk=", "hi!"),
        ("base64", "aG\nk=\n", "é"),
        ("normalized address", "10.0.0.0/20", "10.0.0.1/20"),
        ("normalized address", "2001:db8::1", "2001:DB8::1"),
        ("normalized address", "no address", "10.0.0.1/32"),
        ("address of an access rule", "10.0.0.0/16", "10.0.0.0/20"),
        ("address of an access rule", "2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
        ("url with a path", "example.com/", "https://example.com"),
        ("url with a path", "http://example.com/a", "example.com/a\n"),
        ("descending-priority", [{"priority": 7}, {"priority": 6}], [{"priority": 6}, {"priority": 7}]),
    ],
)
def test_a_format_accepts_its_values_only(name: str, valid: Any, invalid: Any) -> None:
    assert fault(name, valid) is None
    assert fault(name, invalid) is not None


def test_an_unknown_format_accepts_everything() -> None:
    assert fault("a-format-of-later", "x") is None


@pytest.mark.parametrize(
    ("key", "value"),
    [("team", "media"), ("größe", "größe_2"), ("k" * 63, "v" * 63), ("empty", ""), ("日本", "1")],
)
def test_a_label_of_lowercase_letters_digits_and_dashes_is_accepted(key: str, value: str) -> None:
    assert label_fault(key, value) is None


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("Team", "media", "label key 'Team'"),
        ("1team", "media", "label key '1team'"),
        ("", "media", "label key ''"),
        ("k" * 64, "media", "label key"),
        ("kubernetes.io/name", "media", "label key"),
        ("team", "Media", "label value 'Media'"),
        ("version", "v1.2", "label value 'v1.2'"),
        ("owner", "me@example.com", "label value"),
        ("team", "v" * 64, "label value"),
    ],
)
def test_a_label_that_the_apis_refuse_is_reported(key: str, value: str, reason: str) -> None:
    assert reason in (label_fault(key, value) or "")
