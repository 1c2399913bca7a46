"""Tests of goals: durations, source positions, and options inherited from a parent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pulumi.runtime.proto import resource_pb2, source_pb2

from rehearsal.engine.goal import Goal, seconds, source_text
from rehearsal.engine.providers.versions import installed_version

PARENT = Goal(
    urn="urn:pulumi:dev::p::my:index:Group::g",
    type="my:index:Group",
    name="g",
    custom=False,
    inputs={},
    protect=True,
    retain_on_delete=True,
    deleted_with="urn:pulumi:dev::p::toy:index:Thing::host",
    providers={"toy": "urn:pulumi:dev::p::pulumi:providers:toy::p::1"},
)
CHILD = Goal(
    urn="urn:pulumi:dev::p::my:index:Group$toy:index:Thing::a",
    type="toy:index:Thing",
    name="a",
    custom=True,
    inputs={},
    parent=PARENT.urn,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("90s", 90),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("250ms", 0.25),
        ("1m1s", 61),
        ("0", 0),
        (".5h", 1800),
        ("1.m", 60),
        ("+1m", 60),
        ("-1m30s", -90),
    ],
)
def test_duration_is_parsed_to_seconds(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "5", "1 m", "m", "1h-5m", "1d"])
def test_malformed_duration_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as"):
        seconds(text)


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("project:///infra/main%20file.py", "infra/main file.py:7"),
        ("file:///srv/project/infra/__main__.py", "infra/__main__.py:7"),
        ("file:///elsewhere/lib.py", "/elsewhere/lib.py:7"),
        ("", ""),
    ],
)
def test_source_position_is_relative_to_the_project(uri: str, text: str) -> None:
    assert source_text(source_pb2.SourcePosition(uri=uri, line=7), Path("/srv/project")) == text


def test_timeout_of_zero_is_not_recorded() -> None:
    request = resource_pb2.RegisterResourceRequest(type="toy:index:Thing", name="a")
    request.customTimeouts.create, request.customTimeouts.delete = "0s", "1.5h"
    goal = Goal.from_request(request, "dev", "p", Path("/p"), Path("/p"), {})
    assert goal.custom_timeouts == {"delete": 5400.0}


def test_child_inherits_options_that_it_does_not_set() -> None:
    goal = CHILD.inheriting(PARENT)
    assert (goal.protect, goal.retain_on_delete, goal.deleted_with) == (True, True, PARENT.deleted_with)
    assert goal.provider == PARENT.providers["toy"]


def test_child_overrides_inherited_options() -> None:
    own = replace(CHILD, protect=False, retain_on_delete=False, deleted_with="urn:x", provider="urn:y::1")
    goal = own.inheriting(PARENT)
    assert (goal.protect, goal.retain_on_delete) == (False, False)
    assert (goal.deleted_with, goal.provider) == ("urn:x", "urn:y::1")


def test_provider_of_another_package_is_not_inherited() -> None:
    assert replace(CHILD, type="other:index:Thing").inheriting(PARENT).provider == ""


def test_child_inherits_the_alias_by_which_its_parent_was_found() -> None:
    former, unused = (f"urn:pulumi:dev::p::my:index:{type_}::g" for type_ in ("Former", "Unused"))
    parent = replace(PARENT, aliases=(unused, former))
    assert CHILD.inheriting(parent).aliases == ()
    assert CHILD.inheriting(parent, former).aliases == (
        "urn:pulumi:dev::p::my:index:Former$toy:index:Thing::a",
    )


@pytest.mark.parametrize(
    ("version", "url", "recorded"),
    [
        ("", "", installed_version("random")),
        ("1.2.3", "", "1.2.3"),
        ("", "https://plugins.test", None),
        ("1.2.3", "https://plugins.test", "1.2.3"),
    ],
)
def test_explicit_provider_has_the_default_version_unless_it_names_its_plugin(
    version: str, url: str, recorded: str | None
) -> None:
    request = resource_pb2.RegisterResourceRequest(
        type="pulumi:providers:random", name="p", custom=True, version=version, pluginDownloadURL=url
    )
    goal = Goal.from_request(request, "dev", "p", Path("/p"), Path("/p"), {})
    assert goal.inputs.get("version") == recorded
    assert goal.inputs.get("__internal") == ({"pluginDownloadURL": url} if url else None)
