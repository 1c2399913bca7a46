"""The description of a pack: the pack's own metadata, with the levels and settings in force."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.runtime.proto import analyzer_pb2

from policies.api import PolicySettings
from rehearsal.policy.pack_info import pack_info

DESCRIBED = analyzer_pb2.AnalyzerInfo(
    name="kingdom",
    version="1.0.0",
    description="Rules of the platform.",
    policies=[
        analyzer_pb2.PolicyInfo(
            name="z-stack",
            description="A stack must fit.",
            enforcementLevel=analyzer_pb2.MANDATORY,
            policy_type=analyzer_pb2.POLICY_TYPE_STACK,
            severity=analyzer_pb2.POLICY_SEVERITY_CRITICAL,
        ),
        analyzer_pb2.PolicyInfo(
            name="a-resource",
            description="A resource must be named.",
            enforcementLevel=analyzer_pb2.MANDATORY,
            policy_type=analyzer_pb2.POLICY_TYPE_RESOURCE,
            severity=analyzer_pb2.POLICY_SEVERITY_LOW,
            framework=analyzer_pb2.PolicyComplianceFramework(name="CIS"),
            tags=["names", "CIS:1.2"],
            remediation_steps="Name it.",
            url="https://example.com/names",
        ),
        analyzer_pb2.PolicyInfo(name="b-plain"),
    ],
)
SETTINGS = {
    "a-resource": PolicySettings("advisory", {"limit": 7}),
    "b-plain": PolicySettings("disabled", {}),
    "z-stack": PolicySettings("mandatory", {}),
}


def test_policies_are_sorted_by_name_and_have_the_metadata_of_the_pack() -> None:
    info = pack_info(DESCRIBED, {}, SETTINGS)
    assert [policy.name for policy in info.policies] == ["a-resource", "b-plain", "z-stack"]
    first = info.policies[0]
    assert (first.description, first.remediation) == ("A resource must be named.", "Name it.")
    assert (first.framework, first.tags) == ("CIS", ("names", "CIS:1.2"))
    assert first.url == "https://example.com/names"


def test_level_and_settings_are_those_in_force_and_not_those_of_the_pack() -> None:
    policies = pack_info(DESCRIBED, {}, SETTINGS).policies
    assert [policy.level for policy in policies] == ["advisory", "disabled", "mandatory"]
    assert policies[0].settings == {"limit": 7}


def test_severity_and_kind_are_words() -> None:
    policies = pack_info(DESCRIBED, {}, SETTINGS).policies
    assert [policy.severity for policy in policies] == ["low", "", "critical"]
    assert [policy.kind for policy in policies] == ["resource", "resource", "stack"]


@pytest.mark.parametrize(
    ("severity", "word"),
    [
        (analyzer_pb2.POLICY_SEVERITY_LOW, "low"),
        (analyzer_pb2.POLICY_SEVERITY_MEDIUM, "medium"),
        (analyzer_pb2.POLICY_SEVERITY_HIGH, "high"),
        (analyzer_pb2.POLICY_SEVERITY_CRITICAL, "critical"),
    ],
)
def test_every_severity_of_the_protocol_has_a_word(severity: Any, word: str) -> None:
    described = analyzer_pb2.AnalyzerInfo(policies=[analyzer_pb2.PolicyInfo(name="a", severity=severity)])
    (policy,) = pack_info(described, {}, {"a": PolicySettings("mandatory", {})}).policies
    assert policy.severity == word


@pytest.mark.parametrize(
    ("manifest", "version", "description"),
    [
        ({}, "1.0.0", "Rules of the platform."),
        ({"version": "4.5.6", "description": "Of the manifest."}, "4.5.6", "Rules of the platform."),
        ({"version": 2}, "2", "Rules of the platform."),
    ],
)
def test_version_is_that_of_the_manifest_and_the_description_that_of_the_pack(
    manifest: dict[str, Any], version: str, description: str
) -> None:
    info = pack_info(DESCRIBED, manifest, SETTINGS)
    assert (info.name, info.version, info.description) == ("kingdom", version, description)


def test_description_of_the_manifest_replaces_a_missing_one_of_the_pack() -> None:
    described = analyzer_pb2.AnalyzerInfo(name="a")
    assert pack_info(described, {"description": "Of the manifest."}, {}).description == "Of the manifest."
    assert (pack_info(described, {}, {}).version, pack_info(described, {}, {}).description) == ("", "")
