"""ConfigMaps and Secrets: keys, sizes and encodings."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.providers.kubernetes.objects.configuration import config_map_problems, secret_problems
from rehearsal.pulumi.properties import UNKNOWN


def paths(problems: Any) -> list[str]:
    return [one.path for one in problems]


@pytest.mark.parametrize(
    ("inputs", "path"),
    [
        ({"data": {"a b": "c"}}, "data.a b"),
        ({"data": {"..": "c"}}, 'data[".."]'),
        ({"data": {"a" * 254: "c"}}, f"data.{'a' * 254}"),
        ({"data": {"a": "b"}, "binaryData": {"a": "Yg=="}}, "binaryData.a"),
        ({"data": {"a": "c" * 1024 * 1024, "b": "c"}}, "data"),
    ],
)
def test_config_map_that_the_server_refuses(inputs: dict[str, Any], path: str) -> None:
    assert paths(config_map_problems(inputs)) == [path]


def test_a_config_map_of_one_mebibyte_is_accepted() -> None:
    assert paths(config_map_problems({"data": {"a": "c" * 1024 * 1024, "b": UNKNOWN}})) == []


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        ({"data": {"a": "not base64!"}}, ["data.a"]),
        ({"data": {"a": "YQ ==\n"}}, []),
        ({"data": {"a": UNKNOWN}}, []),
        ({"stringData": {"a": "not base64!"}}, []),
        ({"stringData": {"a": "c" * 1024 * 1024 + "c"}}, ["stringData"]),
        ({"type": "kubernetes.io/tls", "data": {"tls.crt": "YQ=="}}, ['data["tls.key"]']),
        ({"type": "kubernetes.io/tls", "data": {"tls.crt": "YQ=="}, "stringData": {"tls.key": "a"}}, []),
        ({"type": "kubernetes.io/tls", "data": UNKNOWN}, []),
        ({"type": "example.com/own", "data": {}}, []),
    ],
)
def test_a_secret_has_encoded_values_and_the_keys_of_its_type(
    inputs: dict[str, Any], found: list[str]
) -> None:
    assert paths(secret_problems(inputs)) == found
