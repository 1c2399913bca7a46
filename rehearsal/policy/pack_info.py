"""The description of a policy pack and its policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from policies.api import PolicySettings

if TYPE_CHECKING:
    from pulumi.runtime.proto import analyzer_pb2

_SEVERITIES: Final = ("", "low", "medium", "high", "critical")


@dataclass(frozen=True)
class PolicyInfo:
    """One policy as described by its pack. `level` and `settings` are the effective ones."""

    name: str
    description: str
    level: str
    severity: str
    framework: str
    tags: tuple[str, ...]
    remediation: str
    url: str
    kind: str  # "resource" or "stack"
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class PackInfo:
    """Name, version (from PulumiPolicy.yaml, as the CLI prefers it) and policies, sorted by name."""

    name: str
    version: str
    description: str
    policies: tuple[PolicyInfo, ...]


def pack_info(
    described: analyzer_pb2.AnalyzerInfo, manifest: Mapping[str, Any], settings: Mapping[str, PolicySettings]
) -> PackInfo:
    policies = [
        PolicyInfo(
            name=policy.name,
            description=policy.description,
            level=settings[policy.name].level,
            severity=_SEVERITIES[policy.severity],
            framework=policy.framework.name,
            tags=tuple(policy.tags),
            remediation=policy.remediation_steps,
            url=policy.url,
            kind="stack" if policy.policy_type == 2 else "resource",
            settings=settings[policy.name].properties,
        )
        for policy in described.policies
    ]
    return PackInfo(
        name=described.name,
        version=str(manifest.get("version") or described.version),
        description=described.description or str(manifest.get("description") or ""),
        policies=tuple(sorted(policies, key=lambda policy: policy.name)),
    )
