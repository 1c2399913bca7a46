"""The host's client implements the protocol that providers call."""

from __future__ import annotations

import inspect

import pytest

from rehearsal.host.client import Machine
from rehearsal.providers.host_protocol import EmulationHost

METHODS = ("apply", "delete", "read", "cancel")


@pytest.mark.parametrize("method", METHODS)
def test_client_of_the_host_accepts_the_calls_of_the_providers(method: str) -> None:
    declared = inspect.signature(getattr(EmulationHost, method)).parameters.values()
    positional = [item.name for item in declared if item.kind is not inspect.Parameter.KEYWORD_ONLY]
    named = {item.name: 0 for item in declared if item.kind is inspect.Parameter.KEYWORD_ONLY}
    inspect.signature(getattr(Machine, method)).bind(*positional, **named)


def test_client_of_the_host_names_the_emulated_types() -> None:
    assert hasattr(Machine, "EMULATED_TYPES")
