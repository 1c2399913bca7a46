"""Policy configuration in a stack file: problems are reported before any resource is evaluated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.pack.configuration import ConfigurationError, problems_with, reconcile
from policies.rules import RULES, SHAPES
from rehearsal.policy.pack import PolicyPack
from rehearsal.policy.pack_files import PolicyPackError

ROOT = Path(__file__).parents[3]
STACKS = ("local", "dev", "staging", "prod")


def configuration(stack: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((ROOT / f"stacks/Pulumi.{stack}.yaml").read_text())["config"]
    return {key: value for key, value in values.items() if key.startswith("policies:")}


def refusal(**keys: Any) -> str:
    """Return the error of the pack when it is started with these keys under ``policies:``."""
    config = {
        f"policies:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in keys.items()
    }
    with (
        PolicyPack.start(
            ROOT / "policies", project="p", stack="s", dry_run=True, stack_config=config
        ) as pack,
        pytest.raises(PolicyPackError) as caught,
    ):
        _ = pack.info
    return str(caught.value)


def test_production_relaxes_no_policy() -> None:
    assert configuration("prod").keys() == {"policies:monthlyCeiling"}


@pytest.mark.parametrize("stack", STACKS)
def test_configuration_of_every_stack_is_valid_and_has_a_cost_ceiling(stack: str) -> None:
    keys = configuration(stack)
    assert problems_with(SHAPES, keys.get("policies:config", {})) == []
    assert float(keys["policies:monthlyCeiling"]) > 0


def test_all_invalid_keys_of_a_configuration_are_listed() -> None:
    text = refusal(config={"pss-secomp": "disabled", "image-registry": {"registries": "ghcr.io"}})
    assert "policies:config of the stack 's'" in text
    assert "did you mean 'pss-seccomp'?" in text
    assert "registries must be of type array" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("value", ["a lot", -1, {"usd": 3}])
def test_a_cost_ceiling_that_is_not_an_amount_is_rejected(value: Any) -> None:
    [shape] = [shape for shape in SHAPES if shape.name == "monthly-cost-ceiling"]
    assert problems_with([shape], {shape.name: {"monthly": value}})


def test_error_of_a_cost_ceiling_names_its_key_in_the_stack_file() -> None:
    assert "policies:monthlyCeiling of the stack 's'" in refusal(monthlyCeiling="a lot")


@pytest.mark.parametrize(
    "layer", [None, [], "x", 3, {"all": "loud"}, {"labels": 3}, {"labels": {"labels": [1]}}]
)
def test_a_layer_that_is_not_an_object_is_rejected(layer: object) -> None:
    assert problems_with(SHAPES, layer)


def test_every_default_satisfies_its_own_schema() -> None:
    for rule in RULES:
        assert problems_with(SHAPES, {rule.name: rule.defaults}) == []


def test_a_missing_required_setting_is_named() -> None:
    shape = type(SHAPES[0])("one", "mandatory", {"limit": {"type": "integer"}}, ("limit",))
    with pytest.raises(ConfigurationError, match="one: limit is required"):
        reconcile([shape])
