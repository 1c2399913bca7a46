"""The declared Cloudflare zone: its settings, the rules of its rulesets, and its proxied host names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rehearsal.host.desired_state import DesiredStore
from rehearsal.host.envoy.cloudflare_expressions import Alternatives, UnsupportedError, alternatives

RULESET = "cloudflare:index/ruleset:Ruleset"
SETTING = "cloudflare:index/zoneSetting:ZoneSetting"
RECORD = "cloudflare:index/dnsRecord:DnsRecord"
_SUPPORTED_PHASES = frozenset(
    {
        "http_request_cache_settings",
        "http_ratelimit",
        "http_request_firewall_custom",
        "http_response_headers_transform",
    }
)


def settings_of(store: DesiredStore) -> dict[str, Any]:
    """Return the zone settings by ID."""
    return {str(item.inputs.get("settingId")): item.inputs.get("value") for item in store.of_type(SETTING)}


@dataclass(frozen=True)
class Rule:
    """An enabled rule with its expression as header matchers."""

    ref: str
    declared: dict[str, Any]
    when: Alternatives

    @property
    def action(self) -> str:
        return str(self.declared.get("action"))

    @property
    def parameters(self) -> dict[str, Any]:
        return self.declared.get("actionParameters") or {}


def rules_of(store: DesiredStore, phase: str, notes: list[str]) -> list[Rule]:
    """Return the enabled rules of a phase in order; unsupported ones are reported in `notes`."""
    found = []
    for ruleset in store.of_type(RULESET):
        if ruleset.inputs.get("phase") != phase:
            continue
        for number, rule in enumerate(ruleset.inputs.get("rules") or []):
            ref = str(rule.get("ref") or f"{ruleset.name}-{number}")
            if rule.get("enabled") is False:
                continue
            try:
                found.append(Rule(ref, rule, alternatives(str(rule.get("expression")))))
            except UnsupportedError as error:
                notes.append(f"Cloudflare rule {ref} of {phase} is not enforced here: {error}")
    return found


def hostnames(store: DesiredStore) -> list[str]:
    """Return the host names of the zone's proxied records."""
    return sorted(
        {str(item.inputs.get("name")) for item in store.of_type(RECORD) if item.inputs.get("proxied")}
    )


def unsupported_phases(store: DesiredStore) -> list[str]:
    """Return the phases of declared rulesets that the local edge does not enforce, sorted."""
    return sorted({str(item.inputs.get("phase")) for item in store.of_type(RULESET)} - _SUPPORTED_PHASES)
