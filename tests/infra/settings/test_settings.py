"""A stack file is parsed once, into types; every problem is reported at once."""

from __future__ import annotations

import ast
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from infra.settings import Settings
from infra.settings.errors import SettingsError
from infra.settings.loader import parse, with_edge_port
from infra.settings.roles import ROLES
from rehearsal.pulumi.project import Project
from tests.infra.rehearsal import ROOT, STACKS, configuration, merge


def setting_problems(values: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        parse("prod", values)
    return {problem.key: str(problem) for problem in caught.value.problems}


@pytest.fixture
def values() -> dict[str, Any]:
    return copy.deepcopy(configuration("prod"))


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_file_validates(stack: str) -> None:
    settings = parse(stack, configuration(stack))
    assert settings.environment.labels["environment"] == stack


def test_objects_may_come_as_the_json_text_that_pulumi_hands_to_programs(values: dict[str, Any]) -> None:
    as_text = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    assert parse("prod", as_text) == parse("prod", values)


def test_all_that_is_wrong_is_reported_at_once(values: dict[str, Any]) -> None:
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


def test_an_error_names_stack_file_key_value_and_remedy(values: dict[str, Any]) -> None:
    values["kingdom:database"]["minSize"] = "M41"
    with pytest.raises(SettingsError) as caught:
        parse("prod", values)
    text = str(caught.value)
    for part in (
        'stack "prod"',
        "stacks/Pulumi.prod.yaml",
        "kingdom:database.minSize",
        '"M41"',
        "'M40'",
        "smallest tier autoscaling may choose",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("section", "key", "value", "expected"),
    [
        ("workload", "apy", {}, "did you mean api?"),
        ("network", "nodes", "10.0.0.0", "IPv4 range such as 10.0.0.0/20"),
        ("network", "nodes", "10.0.0.300/20", "IPv4 range such as 10.0.0.0/20"),
        ("cache", "minGb", 0, "greater than or equal to 1"),
        ("cache", "minGb", "16", "valid integer"),
        ("storage", "bucket", "Upper_Case", "globally unique bucket name"),
    ],
)
def test_a_wrong_value_is_reported_with_valid_values(
    values: dict[str, Any], section: str, key: str, value: Any, expected: str
) -> None:
    values[f"kingdom:{section}"][key] = value
    assert expected in setting_problems(values)[f"kingdom:{section}.{key}"]


def test_a_misspelt_section_is_reported_with_the_one_that_was_meant(values: dict[str, Any]) -> None:
    values["kingdom:databse"] = values.pop("kingdom:database")
    found = setting_problems(values)
    assert "did you mean kingdom:database?" in found["kingdom:databse"]
    assert "is missing" in found["kingdom:database"]


@pytest.mark.parametrize(
    ("section", "change", "expected"),
    [
        ("kingdom:workload", {"api": {"maxReplicas": 4}}, "maxReplicas 4 is below"),
        ("kingdom:database", {"minSize": "M80", "maxSize": "M40"}, "maxSize M40 is smaller"),
        ("kingdom:edge", {"rates": {"api": {"periodSeconds": 61}}}, "use 10, 60"),
    ],
)
def test_settings_that_contradict_each_other_are_reported(
    values: dict[str, Any], section: str, change: dict[str, Any], expected: str
) -> None:
    merge(values[section], change)
    assert expected in "".join(setting_problems(values).values())


def test_a_missing_section_lists_the_keys_it_needs(values: dict[str, Any]) -> None:
    del values["kingdom:cache"]
    assert "version, minGb" in setting_problems(values)["kingdom:cache"]


@pytest.mark.parametrize(
    ("change", "key", "expected"),
    [
        ({"everyHour": 1}, "everyHour", "did you mean everyHours?"),
        ({"everyHours": 5}, "everyHours", "hours between reports: 1, 2, 3, 4 or 6"),
        ({"resources": {"cpuMilli": 2000}}, "resources", "cpuLimitMilli 1000 is below cpuMilli 2000"),
    ],
)
def test_a_wrong_value_in_a_section_that_may_be_null_is_reported(
    values: dict[str, Any], change: dict[str, Any], key: str, expected: str
) -> None:
    merge(values["kingdom:observability"]["monitor"], change)
    assert expected in setting_problems(values)[f"kingdom:observability.monitor.{key}"]


def test_a_section_that_may_be_null_is_still_required(values: dict[str, Any]) -> None:
    del values["kingdom:observability"]["monitor"]
    found = setting_problems(values)["kingdom:observability.monitor"]
    assert "(an object with everyHours, reportHours, keepDays, resources)" in found


def test_a_monitor_that_fits_on_no_node_is_refused(values: dict[str, Any]) -> None:
    resources = values["kingdom:observability"]["monitor"]["resources"]
    resources |= {"cpuMilli": 60_000, "cpuLimitMilli": 60_000}
    found = setting_problems(values)["kingdom:cluster.spot.machineType"]
    assert "too small for one pod of monitor, 60000m CPU" in found


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


def test_the_program_receives_the_edge_port_of_a_machine(tmp_path: Path) -> None:
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "__main__.py").touch()
    (tmp_path / "stacks").mkdir()
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    file = (ROOT / "stacks" / "Pulumi.local.yaml").read_text().replace("edgePort: 8443", "edgePort: 9443")
    (tmp_path / "stacks" / "Pulumi.local.yaml").write_text(file)
    stack = Project.at(tmp_path).stack("local")
    assert json.loads(stack.config["rehearsal:machine"]) == stack.machine
    assert parse("local", with_edge_port(stack.config)).edge.port == 9443


@pytest.mark.parametrize("as_text", [False, True])
def test_the_edge_port_of_a_machine_is_the_port_of_every_url(values: dict[str, Any], as_text: bool) -> None:
    values["rehearsal:machine"] = {"edgePort": 9443}
    if as_text:
        values = {key: each if isinstance(each, str) else json.dumps(each) for key, each in values.items()}
    settings = parse("prod", with_edge_port(values))
    assert settings.edge.url.endswith(":9443")
    del values["rehearsal:machine"]
    assert parse("prod", with_edge_port(values)) == parse("prod", values)
