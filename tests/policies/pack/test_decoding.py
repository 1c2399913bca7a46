"""Decoded properties are shared between validations, and are those that the SDK would decode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pulumi_policy.policy as sdk
import pytest
from google.protobuf import json_format, struct_pb2
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

from policies.pack import decoding
from policies.pack.decoding import decode_once

NAMES = ("json_format", "deserialize_properties", "unknown_checking_proxy")
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": "tiger"}


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The SDK's module with shared decoding, which is undone afterwards."""
    found: Any = sdk
    for name in NAMES:
        monkeypatch.setattr(found, name, getattr(found, name))
    decode_once()
    return found


def message(**values: Any) -> struct_pb2.Struct:
    found = struct_pb2.Struct()
    found.update(values)
    return found


def decoded(module: Any, given: struct_pb2.Struct) -> Any:
    """Properties as a validation gets them."""
    return module.unknown_checking_proxy(
        module.deserialize_properties(module.json_format.MessageToDict(given))
    )


def test_equal_properties_are_decoded_once(module: Any) -> None:
    assert decoded(module, message(a="x")) is decoded(module, message(a="x"))
    assert decoded(module, message(a="x")) is not decoded(module, message(a="y"))


def test_values_are_those_of_the_sdk(module: Any) -> None:
    given = message(name="a", nested={"list": [1, True, None]}, password=SECRET)
    found = decoded(module, given)
    assert found["name"] == "a"
    assert found["nested"]["list"][1] is True
    assert found["password"] == "tiger"
    assert module.json_format.MessageToDict(given) == json_format.MessageToDict(given)


def test_an_unknown_value_raises_when_it_is_read(module: Any) -> None:
    found = decoded(module, message(address=UNKNOWN_STRING_VALUE))
    with pytest.raises(UnknownValueError) as caught:
        _ = found["address"]
    assert "address" in caught.value.message


def test_a_remediation_gets_a_copy_of_its_own(module: Any) -> None:
    shared = module.json_format.MessageToDict(message(labels={"team": "x"}))
    own = module.deserialize_properties(shared, True)
    own["labels"]["team"] = "y"
    assert decoded(module, message(labels={"team": "x"}))["labels"]["team"] == "x"


def test_old_properties_are_evicted_and_decoded_again(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_LIMIT", 2)
    first = decoded(module, message(a="0"))
    for number in (1, 2):
        decoded(module, message(a=str(number)))
    again = decoded(module, message(a="0"))
    assert again is not first
    assert again["a"] == "0"
    assert decoded(module, message(a="2")) is decoded(module, message(a="2"))
