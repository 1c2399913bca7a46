"""Preferred names of resources: `pulumi:autonaming`."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from rehearsal.engine.providers.autonaming import KEY, Autonaming
from rehearsal.errors import InputError
from tests.rehearsal.engine.conftest import Stack
from tests.rehearsal.engine.fake_provider import Cloud

MODES = provider_pb2.CheckRequest.AutonamingOptions
BUCKET = "urn:pulumi:dev::ours::gcp:storage/bucket:Bucket::media"


def parsed(settings: Any) -> Autonaming:
    return Autonaming.parse({KEY: json.dumps(settings), "ours:team": "blue"}, "ours", "dev")


@pytest.mark.parametrize(
    ("settings", "name", "mode", "deletes_first"),
    [
        ({"mode": "verbatim"}, "media", MODES.ENFORCE, True),
        ({"mode": "disabled"}, "", MODES.DISABLE, True),
        ({"pattern": "${name}-x"}, "media-x", MODES.PROPOSE, True),
        ({"pattern": "${name}-x", "enforce": True}, "media-x", MODES.ENFORCE, True),
        ({"pattern": "${organization}-${project}-${stack}"}, "organization-ours-dev", MODES.PROPOSE, True),
        ({"pattern": "${name}-${config.team}"}, "media-blue", MODES.PROPOSE, True),
        ({"mode": "verbatim", "providers": {"gcp": {"pattern": "gcp-${name}"}}}, "gcp-media", 0, True),
        ({"pattern": "${name}-x", "providers": {"gcp": {"resources": {}}}}, "media-x", 0, True),
        ({"pattern": "${name}-x", "providers": {"kubernetes": {"mode": "disabled"}}}, "media-x", 0, True),
        (
            {"providers": {"gcp": {"resources": {"gcp:storage/bucket:Bucket": {"pattern": "b-${name}"}}}}},
            "b-media",
            MODES.PROPOSE,
            True,
        ),
    ],
)
def test_name_of_a_resource_follows_settings_of_its_type_before_those_of_its_package(
    settings: Any, name: str, mode: int, deletes_first: bool
) -> None:
    options, first = parsed(settings).options(BUCKET, "")
    assert options is not None
    assert (options.proposed_name, options.mode, first) == (name, mode, deletes_first)


@pytest.mark.parametrize(
    "settings", [{}, {"mode": "default"}, {"providers": {"random": {"mode": "disabled"}}}]
)
def test_provider_names_resources_without_settings(settings: Any) -> None:
    assert parsed(settings).options(BUCKET, "") == (None, False)
    assert Autonaming.parse({}, "ours", "dev").options(BUCKET, "") == (None, False)


@pytest.mark.parametrize(
    ("part", "expression"),
    [
        ("${hex(6)}", "[0-9a-f]{6}"),
        ("${alphanum(9)}", "[a-z0-9]{9}"),
        ("${string(4)}", "[a-z]{4}"),
        ("${num(3)}", "[0-9]{3}"),
        ("${uuid}", "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    ],
)
def test_random_parts_are_the_same_until_the_resource_is_replaced(part: str, expression: str) -> None:
    naming = parsed({"pattern": f"${{name}}-{part}"})
    options, first = naming.options(BUCKET, "")
    assert options is not None
    assert re.fullmatch(f"media-{expression}", options.proposed_name)
    assert first is False  # both exist side by side during a replacement
    assert naming.options(BUCKET, "") == (options, False)
    assert naming.options(BUCKET, "an-id") != (options, False)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("verbatim", "must be a mapping"),
        ({"mode": "magic"}, "mode: must be one of default, verbatim, disabled"),
        ({"mode": "verbatim", "enforce": True}, "exclude each other"),
        ({"enforce": True}, "enforce needs a pattern"),
        ({"patern": "x"}, "patern: unknown"),
        ({"providers": {"gcp": {"modes": "x"}}}, "providers.gcp.modes: unknown"),
        ({"providers": {"gcp": {"resources": {"gcp:a:B": {}}}}}, "gcp:a:B: needs a mode or a pattern"),
        ({"pattern": "${config.none}"}, "the stack has no config.ours:none"),
    ],
)
def test_wrong_settings_are_refused_with_their_key(settings: Any, problem: str) -> None:
    with pytest.raises(InputError) as raised:
        parsed(settings)
    assert problem in str(raised.value)


def test_names_without_random_part_are_deleted_before_they_are_created_again(
    stack: Stack, cloud: Cloud
) -> None:
    stack.config[KEY] = json.dumps({"mode": "verbatim"})
    stack.up('Thing("a", fixed=1)\n')
    stack.up('Thing("a", fixed=2)\n')
    assert cloud.calls("Create", "Delete") == [("Delete", "a"), ("Create", "a")]
