"""Values of the `random` package: repeatable, and of the requested form."""

from __future__ import annotations

import base64
import re
import string
from typing import Any
from uuid import UUID

import pytest

from rehearsal.pulumi.properties import Secret
from tests.rehearsal.providers.calls import Calls, Created, urn


def made(random: Calls, kind: str, name: str = "it", **inputs: Any) -> Created:
    modules = {"RandomUuid": "randomUuid", "RandomInteger": "randomInteger"}
    module = modules.get(kind, kind[0].lower() + kind[1:])
    return random.make(urn(f"random:index/{module}:{kind}", name), inputs)


def test_values_depend_on_the_name_and_the_keepers(random: Calls) -> None:
    first = made(random, "RandomString", length=20)
    assert made(random, "RandomString", length=20) == first
    assert made(random, "RandomString", "other", length=20) != first
    assert made(random, "RandomString", length=20, keepers={"version": "2"}) != first


def test_text_has_its_length_and_the_minimum_of_each_class(random: Calls) -> None:
    for name in map(str, range(20)):
        result = made(
            random,
            "RandomString",
            name,
            length=8,
            minUpper=2,
            minNumeric=3,
            minSpecial=1,
            minLower=2,
            overrideSpecial="%",
        ).outputs["result"]
        assert len(result) == 8
        counts = [
            sum(one in letters for one in result) for letters in (string.ascii_uppercase, string.digits)
        ]
        assert counts == [2, 3]
        assert result.count("%") == 1


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        ({"special": False}, r"[A-Za-z0-9]{40}"),
        ({"special": False, "upper": False, "lower": False}, r"[0-9]{40}"),
        ({"special": False, "numeric": False}, r"[A-Za-z]{40}"),
        ({"special": False, "number": False}, r"[A-Za-z]{40}"),
    ],
)
def test_disabled_classes_do_not_occur(random: Calls, options: dict[str, Any], pattern: str) -> None:
    assert re.fullmatch(pattern, made(random, "RandomString", length=40, **options).outputs["result"])


def test_password_is_secret_and_not_its_id(random: Calls) -> None:
    created = made(random, "RandomPassword", length=16)
    assert created.id == "none"
    result = created.outputs["result"]
    assert isinstance(result, Secret)
    assert len(str(result.element)) == 16


def test_integer_is_within_its_bounds(random: Calls) -> None:
    found = {made(random, "RandomInteger", str(name), min=3, max=5).outputs["result"] for name in range(40)}
    assert found == {3, 4, 5}


def test_bytes_are_given_in_every_encoding(random: Calls) -> None:
    outputs = made(random, "RandomId", byteLength=5, prefix="p-").outputs
    raw = bytes.fromhex(outputs["hex"].removeprefix("p-"))
    assert len(raw) == 5
    assert outputs["b64Std"] == f"p-{base64.b64encode(raw).decode()}"
    assert outputs["b64Url"] == f"p-{base64.urlsafe_b64encode(raw).decode().rstrip('=')}"
    assert outputs["dec"] == f"p-{int.from_bytes(raw, 'big')}"
    many = made(random, "RandomBytes", length=7).outputs
    assert base64.b64decode(many["base64"].element).hex() == many["hex"].element


def test_shuffle_returns_the_requested_number_of_different_items(random: Calls) -> None:
    items = [str(number) for number in range(10)]
    results = made(random, "RandomShuffle", inputs=items, resultCount=4).outputs["results"]
    assert len(set(results)) == 4
    assert set(results) <= set(items)
    everything = made(random, "RandomShuffle", inputs=items).outputs["results"]
    assert sorted(everything) == items
    assert everything != items


def test_identifiers_have_their_form(random: Calls) -> None:
    assert UUID(made(random, "RandomUuid").outputs["result"]).version == 4
    assert re.fullmatch(r"x(_\w+){3}", made(random, "RandomPet", length=3, prefix="x", separator="_").id)


def test_every_input_but_the_bookkeeping_replaces(random: Calls) -> None:
    string_urn = urn("random:index/randomString:RandomString")
    assert list(random.diff(string_urn, {"length": 8}, {"length": 9}).replaces) == ["length"]
