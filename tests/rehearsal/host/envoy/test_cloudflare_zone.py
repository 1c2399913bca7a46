"""The declared zone: settings, enabled rules in order, host names, and phases that are not enforced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rehearsal.host.desired_state import Desired
from rehearsal.host.envoy.cloudflare_zone import (
    RECORD,
    RULESET,
    SETTING,
    hostnames,
    rules_of,
    settings_of,
    unsupported_phases,
)
from tests.rehearsal.host.kubernetes.objects import store_of

FIREWALL = "http_request_firewall_custom"


def item(type_: str, id_: str, /, **inputs: Any) -> Desired:
    return Desired(f"urn:pulumi:x::y::{type_}::{id_}", type_, id_, inputs)


def test_settings_are_found_by_id(tmp_path: Path) -> None:
    store = store_of(
        tmp_path,
        item(SETTING, "one", settingId="brotli", value="on"),
        item(SETTING, "two", settingId="min_tls_version", value="1.3"),
    )
    assert settings_of(store) == {"brotli": "on", "min_tls_version": "1.3"}


def test_enabled_rules_of_the_phase_are_in_order(tmp_path: Path) -> None:
    first = {"ref": "first", "expression": 'http.request.method eq "GET"', "action": "block"}
    off = {"ref": "off", "expression": "true", "action": "block", "enabled": False}
    unnamed = {"expression": "true", "action": "block", "actionParameters": {"response": {"statusCode": 405}}}
    notes: list[str] = []
    store = store_of(
        tmp_path,
        item(RULESET, "custom", phase=FIREWALL, rules=[first, off, unnamed]),
        item(RULESET, "limits", phase="http_ratelimit", rules=[{"expression": "true", "action": "block"}]),
    )
    found = rules_of(store, FIREWALL, notes)
    assert [(rule.ref, rule.action) for rule in found] == [("first", "block"), ("custom-2", "block")]
    assert [rule.parameters for rule in found] == [{}, {"response": {"statusCode": 405}}]
    assert [rule.when == [[]] for rule in found] == [False, True]
    assert notes == []


def test_rule_with_an_unsupported_expression_is_noted(tmp_path: Path) -> None:
    scored = {"ref": "bots", "expression": "cf.bot_management.score lt 30", "action": "block"}
    notes: list[str] = []
    store = store_of(tmp_path, item(RULESET, "custom", phase=FIREWALL, rules=[scored]))
    assert rules_of(store, FIREWALL, notes) == []
    (note,) = notes
    assert note.startswith(f"Cloudflare rule bots of {FIREWALL} is not enforced here: ")


def test_only_proxied_records_are_host_names(tmp_path: Path) -> None:
    store = store_of(
        tmp_path,
        item(RECORD, "b", name="b.example.com", proxied=True),
        item(RECORD, "a", name="a.example.com", proxied=True),
        item(RECORD, "c", name="c.example.com", proxied=False),
    )
    assert hostnames(store) == ["a.example.com", "b.example.com"]


def test_phases_that_are_not_enforced_are_listed(tmp_path: Path) -> None:
    store = store_of(
        tmp_path,
        item(RULESET, "a", phase="http_request_firewall_managed"),
        item(RULESET, "b", phase=FIREWALL),
        item(RULESET, "c", phase="http_config_settings"),
    )
    assert unsupported_phases(store) == ["http_config_settings", "http_request_firewall_managed"]
