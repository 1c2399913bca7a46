"""The schema of stack files accepts exactly the files that the program accepts."""

import copy
import json
from typing import Any

import jsonschema
import pytest
import yaml

from infra.settings import Settings
from infra.settings.errors import SettingsError
from tests.repository._tree import ROOT
from tools.docs.settings_schema import PLACE

STACKS = sorted((ROOT / "stacks").glob("Pulumi.*.yaml"))
PROD = yaml.safe_load((ROOT / "stacks" / "Pulumi.prod.yaml").read_text())
SCHEMA = json.loads(PLACE.read_text())


def errors(stack: dict[str, Any]) -> list[str]:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(stack)]


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.stem)
def test_every_stack_file_fits_the_schema_and_names_it(path: Any) -> None:
    text = path.read_text()
    assert not errors(yaml.safe_load(text))
    assert text.startswith(f"# yaml-language-server: $schema={PLACE.name}\n")


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("kingdom:workload", "apy", {}),
        ("kingdom:database", "minSize", "M41"),
        ("kingdom:network", "nodes", "10.0.0.0"),
        ("kingdom:cache", "minGb", "16"),
        ("kingdom:cache", "minGb", 0),
        ("kingdom:cluster", "zones", []),
    ],
)
def test_an_editor_marks_what_the_program_would_refuse(section: str, key: str, value: Any) -> None:
    stack = copy.deepcopy(PROD)
    stack["config"][section][key] = value
    with pytest.raises(SettingsError):
        Settings.parse("prod", stack["config"])
    assert errors(stack)


@pytest.mark.parametrize("key", ["kingdom:databse", "rehearsal:machin", "nonsense"])
def test_a_misspelt_key_is_marked(key: str) -> None:
    stack = copy.deepcopy(PROD)
    stack["config"][key] = {}
    assert errors(stack)


def test_a_missing_section_is_marked() -> None:
    stack = copy.deepcopy(PROD)
    del stack["config"]["kingdom:cache"]
    assert errors(stack)
