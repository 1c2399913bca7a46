"""Default providers: one for each package and version, unless the configuration disables it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rehearsal.engine.errors import SkippedError
from rehearsal.engine.goal import Goal
from rehearsal.engine.providers.default_providers import DefaultProviderDisabledError, DefaultProviders
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.engine.step_executor import StepFailedError
from rehearsal.pulumi.properties import Properties
from rehearsal.pulumi.urn import package_of
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


class Register:
    """Records registrations; fails those of packages in `failing`."""

    def __init__(self, *failing: str) -> None:
        self.goals: list[Goal] = []
        self.failing = failing

    def __call__(self, goal: Goal) -> ResourceState:
        self.goals.append(goal)
        if package_of(goal.type) in self.failing:
            raise StepFailedError("no")
        return replace(goal.state(), id=f"id-{len(self.goals)}")


def providers(register: Register, **config: Properties) -> DefaultProviders:
    return DefaultProviders("test", "toys", config, register)


def test_each_package_version_and_address_is_registered_once() -> None:
    register = Register()
    defaults = providers(register, toy={"region": "north"})
    first = defaults.reference("toy", "1.0.0")
    assert defaults.reference("toy", "1.0.0") == first
    assert first.startswith("urn:pulumi:test::toys::pulumi:providers:toy::default_1_0_0")
    assert first.endswith("::id-1")
    others = {
        defaults.reference("toy", "2.0.0"),
        defaults.reference("toy", "1.0.0", "https://plugins.test"),
        defaults.reference("other", "1.0.0"),
    }
    assert len({first, *others}) == 4
    assert [goal.inputs for goal in register.goals] == [
        {"region": "north", "version": "1.0.0"},
        {"region": "north", "version": "2.0.0"},
        {"region": "north", "version": "1.0.0", "__internal": {"pluginDownloadURL": "https://plugins.test"}},
        {"version": "1.0.0"},
    ]


def test_failed_registration_is_reported_once() -> None:
    register = Register("toy")
    defaults = providers(register)
    with pytest.raises(StepFailedError):
        defaults.reference("toy", "1.0.0")
    with pytest.raises(SkippedError):
        defaults.reference("toy", "1.0.0")
    assert len(register.goals) == 1


@pytest.mark.parametrize("text", ['["toy"]', '["other", " toy "]', '["*"]'])
def test_disabled_default_provider_is_refused(text: str) -> None:
    register = Register()
    defaults = providers(register, pulumi={"disable-default-providers": text})
    with pytest.raises(DefaultProviderDisabledError, match="'toy' is disabled"):
        defaults.reference("toy", "1.0.0")
    assert register.goals == []
    assert defaults.reference("pulumi", "1.0.0")


@pytest.mark.parametrize("text", ["", "[]", '["other"]'])
def test_other_packages_are_not_disabled(text: str) -> None:
    assert providers(Register(), pulumi={"disable-default-providers": text}).reference("toy", "1.0.0")


@pytest.mark.parametrize("text", ["toy", '"toy"', "[1]", '{"toy": true}'])
def test_value_that_is_not_a_list_of_names_is_an_error(text: str) -> None:
    defaults = providers(Register(), pulumi={"disable-default-providers": text})
    with pytest.raises(DefaultProviderDisabledError, match="must be a list of package names"):
        defaults.reference("toy", "1.0.0")
