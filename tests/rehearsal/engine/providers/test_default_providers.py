"""Default providers: one for each package and version, unless the configuration disables it."""

from __future__ import annotations

from tests.rehearsal.engine.conftest import Stack
from tests.rehearsal.engine.fake_provider import Cloud


def test_default_providers_are_named_after_their_version_and_explicit_ones_are_referred_to(
    stack: Stack, cloud: Cloud
) -> None:
    stack.up('p = Provider("p", region="south")\nThing("a", ResourceOptions(provider=p))\nThing("b")\n')
    assert "::pulumi:providers:toy::p::" in stack.record("a").provider
    assert "::pulumi:providers:toy::default" in stack.record("b").provider
    assert {"region": "north"} in cloud.configured
    assert {"region": "south"} in cloud.configured
