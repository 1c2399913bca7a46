"""A stack file is parsed once, into types; every problem is reported at once."""

from __future__ import annotations

import ast
import copy
import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from infra.settings import Settings
from infra.settings.loader import parse
from infra.settings.roles import ROLES
from tests.infra.rehearsal import ROOT, STACKS, configuration
from tests.infra.settings.problems import setting_problems


@pytest.fixture
def values() -> dict[str, Any]:
    return copy.deepcopy(configuration("prod"))


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_file_validates(stack: str) -> None:
    settings = parse(stack, configuration(stack))
    assert settings.environment.labels["environment"] == stack


def test_all_problems_are_reported_at_once(values: dict[str, Any]) -> None:
    del values["kingdom:cache"]
    del values["kingdom:workload"]["api"]["maxReplicas"]
    values["kingdom:netwrok"] = values.pop("kingdom:network")
    values["kingdom:edge"]["zone"] = "example"
    values["kingdom:database"]["minSize"] = "M41"
    values["gcp:project"] = 3
    assert set(setting_problems(values)) == {
        "gcp:project",
        "kingdom:cache",
        "kingdom:database.minSize",
        "kingdom:edge.zone",
        "kingdom:network",
        "kingdom:netwrok",
        "kingdom:workload.api.maxReplicas",
    }


def test_keys_of_other_namespaces_belong_to_others(values: dict[str, Any]) -> None:
    values["cloudflare:retries"] = 3
    assert parse("prod", values)


def sections(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A model and every model in it, however it is wrapped."""
    yield model
    waiting = [field.annotation for field in model.model_fields.values()]
    while waiting:
        annotation = waiting.pop()
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from sections(annotation)
        waiting.extend(get_args(annotation))


def test_every_setting_is_read_by_the_program() -> None:
    read = {
        node.attr
        for path in (ROOT / "infra").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
    unread = {
        f"{model.__name__}.{name}"
        for model in sections(Settings)
        for name in model.model_fields
        if name not in read and name not in ROLES  # read by the names in the table
    }
    assert unread == set()


def test_objects_may_be_the_json_text_that_pulumi_passes_to_programs(values: dict[str, Any]) -> None:
    as_text = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    assert parse("prod", as_text) == parse("prod", values)
