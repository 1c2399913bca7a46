"""The echo test: apply to an API that stores what it is sent, and the next plan is empty.

A difference here is a perpetual one: the provider would change the resource in every update. Over the plugin
protocol for Cloudflare, whose provider takes another address of its API.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rehearsal.pulumi.properties import UNKNOWN
from tests.rehearsal.parity.terraform import loopback_api, plugin
from tests.rehearsal.parity.terraform.comparison import Comparison
from tests.rehearsal.parity.terraform.differences import PERPETUAL
from tests.rehearsal.providers.constraints.stacks import planned

pytestmark = [pytest.mark.providers, pytest.mark.timeout(900)]
ZONE = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def echo() -> Iterator[Comparison]:
    """Cloudflare's provider, configured with a loopback API."""
    found = plugin.find("cloudflare")
    if found is None:
        where = plugin.folder() or "not set"
        pytest.skip(f"no terraform-provider-cloudflare in the folder PROVIDERS ({where})")
    with loopback_api.running() as api, plugin.running(found) as provider:
        comparison = Comparison("cloudflare", provider)
        assert not provider.configure({"api_token": "0" * 40, "base_url": api.url})
        yield comparison


def known(value: Any) -> Any:
    """`value` with an id in the place of every unknown value."""
    match value:
        case dict():
            return {key: known(item) for key, item in value.items()}
        case list():
            return [known(item) for item in value]
        case _:
            return ZONE if value is UNKNOWN else value


def changes(echo: Comparison, token: str, inputs: dict[str, Any]) -> list[str]:
    """The attributes that a second plan changes; a failed step as its error."""
    mapped, block, config = echo.config(token, inputs)
    name = mapped.resource.name
    created = echo.provider.plan(name, None, config)
    if created.errors:
        return [f"plan: {created.errors[0].text}"]
    state, errors, private = echo.provider.apply(name, None, created, config)
    if errors:
        return [f"apply: {errors[0].text}"]
    state, errors = echo.provider.read(name, state, private)
    if errors or state is None:
        return [f"read: {errors[0].text if errors else 'the resource is absent'}"]
    again = echo.provider.plan(name, state, config, private)
    return sorted(field for field in block.fields if again.state.get(field) != state.get(field))


def test_no_resource_of_the_program_changes_again_after_it_was_applied(echo: Comparison) -> None:
    found: dict[str, list[str]] = {}
    for token, inputs in planned("prod"):
        if echo.covers(token) and token not in found:
            found[token] = changes(echo, token, known(inputs))
    assert found
    assert {token: names for token, names in found.items() if names and token not in PERPETUAL} == {}
