"""Configuration that cannot be decrypted is unknown and secret."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pulumi
import pytest
from pulumi.runtime.config import CONFIG

from rehearsal.engine.program.unreadable_config import as_unknown
from rehearsal.pulumi.properties import UNKNOWN_SENTINEL


@pytest.fixture
def config() -> Iterator[pulumi.Config]:
    former = CONFIG.get()
    pulumi.runtime.set_all_config({"app:token": "t", "app:port": "80"})
    yield pulumi.Config("app")
    CONFIG.set(former)


@pytest.mark.parametrize(
    "getter", ["get_secret", "require_secret", "get_secret_int", "require_secret_object"]
)
def test_secret_getters_return_an_unknown_secret(config: pulumi.Config, getter: str) -> None:
    async def read() -> tuple[bool, bool]:
        with as_unknown({"app:token"}):
            output = getattr(config, getter)("token")
        return await output.is_known(), await output.is_secret()

    assert asyncio.run(read()) == (False, True)


@pytest.mark.parametrize(
    ("getter", "value"),
    [
        ("get", UNKNOWN_SENTINEL),
        ("require", UNKNOWN_SENTINEL),
        ("get_int", 0),
        ("require_bool", False),
        ("get_object", {}),
    ],
)
def test_plain_getters_return_an_empty_value(config: pulumi.Config, getter: str, value: object) -> None:
    with as_unknown({"app:token"}):
        assert getattr(config, getter)("token") == value


def test_other_keys_and_later_reads_are_unchanged(config: pulumi.Config) -> None:
    with as_unknown({"app:token"}):
        assert config.require_int("port") == 80
    assert config.require("token") == "t"
    with as_unknown(()):
        assert config.require("token") == "t"


def test_getters_are_restored_after_an_exception(config: pulumi.Config) -> None:
    with pytest.raises(ValueError, match="stopped"), as_unknown({"app:token"}):
        raise ValueError("stopped")
    assert config.require("token") == "t"
