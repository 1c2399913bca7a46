"""Generated values have the form of the real ones and follow from their seed."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import pytest

from rehearsal.providers import fake_values


@pytest.mark.parametrize("function", [fake_values.uuid, fake_values.moment])
def test_a_value_follows_from_its_seed(function: Callable[..., str]) -> None:
    assert function("a") == function("a")
    assert function("a", "bc") != function("ab", "c")


def test_values_have_their_form() -> None:
    assert re.fullmatch(r"[0-9a-f]{24}", fake_values.hexadecimal(24, "a"))
    assert re.fullmatch(r"[1-9]\d{18}", fake_values.digits(19, "a"))
    assert UUID(fake_values.uuid("a")).version == 4
    assert datetime.fromisoformat(fake_values.moment("a")).year == 2026
    assert len(fake_values.encoded(8, "a")) == 12


def test_addresses_are_inside_their_network() -> None:
    network = ipaddress.ip_network("10.0.0.0/29")
    found = {ipaddress.ip_address(fake_values.address(str(network), str(seed))) for seed in range(40)}
    assert found <= set(network.hosts())
    block = ipaddress.IPv4Network(fake_values.subnet("10.0.0.0/8", 20, "a"))
    assert block.prefixlen == 20
    assert block.subnet_of(ipaddress.IPv4Network("10.0.0.0/8"))
