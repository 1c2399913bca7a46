"""The JSON object of a review: every documented key, strict JSON, complete lists."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policies.api import Costs, Line
from rehearsal.engine.events import PropertyChange, Remediation
from rehearsal.errors import InputError
from rehearsal.pulumi.properties import UNKNOWN, Change, Secret
from rehearsal.pulumi.urn import make_urn
from rehearsal.review.changes.load_forecast import Carried, LoadForecast
from rehearsal.review.formats.json_report import VERSION, report
from rehearsal.review.review import Review
from rehearsal.review.rules.weakened import RuleChange
from tests.rehearsal.review.factories import POD, resource, review_of, stack_of, step, violation

REDIS = "gcp:redis/instance:Instance"


def parsed(review: Review) -> dict[str, Any]:
    """The object after a round trip through strict JSON, which has no NaN or infinity."""
    found: dict[str, Any] = json.loads(json.dumps(report(review), allow_nan=False))
    return found


def test_clean_review_is_ok_and_has_no_entries() -> None:
    assert parsed(Review(seconds=1.23456)) == {
        "version": VERSION,
        "ok": True,
        "exitCode": 0,
        "error": None,
        "head": {"commit": "", "dirty": False},
        "base": None,
        "stacks": [],
        "findings": [],
        "unevaluated": [],
        "remediations": [],
        "ruleChanges": [],
        "withheld": [],
        "seconds": 1.235,
    }


def test_documented_keys_are_those_of_the_report() -> None:
    page = (Path(__file__).parents[4] / "docs" / "pull-requests.md").read_text()
    section = page.partition("The JSON object:")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| `")]
    keys = {
        name: re.sub(r"\([^)]*\)", "", text)
        for names, text in rows
        for name in re.findall(r"`([^`]+)`", names)
    }
    states = [
        resource(REDIS, "cache", {"memorySizeGb": size, "tier": "BASIC", "region": "us-central1"})
        for size in (5, 10)
    ]
    stack = stack_of(
        "dev", (step("dev", "pod"),), (violation("dev", "pod"),), (states[1],), base=(states[0],)
    )
    found = parsed(review_of(stack))
    assert {name.removesuffix("[]") for name in keys if "." not in name} == set(found) - {"seconds"}
    for name, values in (
        ("stacks[]", found["stacks"][0]),
        ("stacks[].costs", found["stacks"][0]["costs"]),
        ("findings[]", found["findings"][0]),
    ):
        assert set(re.findall(r"`(\w+)(?:\[\])?`", keys[name])) == set(values), name


@pytest.mark.parametrize(
    ("review", "ok", "code"),
    [
        (review_of(stack_of("dev")), True, 0),
        (review_of(stack_of("dev", (), (violation("dev", "pod", "advisory"),))), True, 0),
        (review_of(stack_of("dev", (), (violation("dev", "pod"),))), False, 3),
        (Review(error=InputError("no base", remedy="Fetch it.")), False, 2),
    ],
)
def test_exit_code_and_ok_agree(review: Review, ok: bool, code: int) -> None:
    found = parsed(review)
    assert (found["ok"], found["exitCode"]) == (ok, code)
    assert found["error"] == (None if review.error is None else "no base\n  Fetch it.")


def test_base_is_named_by_its_reference_and_commit() -> None:
    found = parsed(replace(review_of(), dirty=True))
    assert found["base"] == {"ref": "main", "commit": "b" * 40}
    assert found["head"] == {"commit": "a" * 40, "dirty": True}


def test_finding_has_all_of_its_metadata_and_its_setting() -> None:
    given = violation("dev", "pod", policy="pss-privileged")
    review = review_of(stack_of("dev", (), (given, violation("dev", "a", "unevaluated"))))
    (found,) = parsed(review)["findings"]
    assert {
        key: found[key] for key in ("policy", "level", "message", "resource", "type", "file", "line")
    } == {
        "policy": "pss-privileged",
        "level": "mandatory",
        "message": "runs as root",
        "resource": "pod",
        "type": POD,
        "file": "infra/pods.py",
        "line": 12,
    }
    assert found["severity"]
    assert found["remediation"]
    assert found["tags"][0] == "pod-security"
    assert (found["stacks"], found["setting"], found["settingPlace"]) == (["dev"], None, None)
    (unevaluated,) = parsed(review)["unevaluated"]
    assert (unevaluated["resource"], unevaluated["severity"]) == ("a", None)
    (item,) = review.findings
    caused = replace(item, setting="a:b", setting_file="stacks/Pulumi.dev.yaml", setting_line=3)
    (found,) = parsed(replace(review_of(), shared=(caused,)))["findings"]
    assert (found["setting"], found["settingPlace"]) == ("a:b", "stacks/Pulumi.dev.yaml:3")


def test_stack_has_its_changes_with_masked_secrets_and_paths() -> None:
    (stack,) = parsed(review_of(stack_of("dev", (step("dev", "pod"),), base=())))["stacks"]
    assert (stack["status"], stack["counts"], stack["unchanged"]) == ("changed", {"update": 1}, 0)
    (change,) = stack["changes"]
    assert (change["op"], change["name"], change["source"]) == ("update", "pod", "infra/pods.py:12")
    assert [item["path"] for item in change["changes"]] == ["spec.size", "spec.password"]
    assert (change["changes"][0]["old"], change["changes"][0]["new"]) == ("old", "new")
    assert not {"tiger", "lion"} & set(map(str, change["changes"][1].values()))
    assert stack["digest"].startswith("sha256:")


def test_failed_stack_has_its_error_and_no_digest(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text("config:\n  gcp:project: a\n")
    error = (
        'stack "dev": one setting is wrong in stacks/x.yaml, and nothing was changed\n  gcp:project = a\n  x'
    )
    (stack,) = parsed(review_of(replace(stack_of("dev", error=error), stack_file=file)))["stacks"]
    assert (stack["status"], stack["error"], stack["baseError"]) == ("failed", error, None)
    assert stack["wrongSettings"] == [{"key": "gcp:project", "message": "gcp:project = a: x", "line": 2}]


def test_capacity_and_costs_are_compared() -> None:
    states = [
        resource(REDIS, "cache", {"memorySizeGb": size, "tier": "BASIC", "region": "us-central1"})
        for size in (5, 10)
    ]
    (stack,) = parsed(
        review_of(stack_of("dev", (step("dev", "cache"),), (), (states[1],), base=(states[0],)))
    )["stacks"]
    assert stack["capacity"] == [{"what": "Redis cache: memory", "before": "5 GiB", "after": "10 GiB"}]
    assert stack["costs"]["currency"] == "USD"
    assert stack["costs"]["maximum"] - stack["baseCosts"]["maximum"] == pytest.approx(98.55)
    (position,) = stack["costs"]["positions"]
    assert position["resource"] == "cache"
    assert (position["minimum"], position["standIn"]) == (position["maximum"], None)
    new = replace(stack_of("dev", (), (), (states[1],)), billed=False)
    (stack,) = parsed(review_of(new))["stacks"]
    assert (stack["billed"], stack["costs"], stack["baseCosts"], stack["capacity"]) == (False, None, None, [])


def test_amounts_are_rounded_to_cents() -> None:
    stack = stack_of("dev")
    urn = make_urn("dev", "kingdom", REDIS, "cache")
    costs = Costs((Line(urn, "Redis", 1.005, 2.999),), (), "2026-01-01 to 2026-02-01")
    stack.__dict__["costs"] = costs
    (found,) = parsed(review_of(stack))["stacks"]
    assert (found["costs"]["maximum"], found["costs"]["positions"][0]["maximum"]) == (3.0, 3.0)
    assert found["costs"]["minimum"] in (1.0, 1.01)


def test_forecast_without_a_limit_has_no_number_of_users() -> None:
    stack = stack_of("dev")
    stack.__dict__["load_forecast"] = LoadForecast(
        Carried("quota", 1200.4, 3.456), Carried("none", math.inf, 4.0), at_users=0
    )
    (found,) = parsed(review_of(stack))["stacks"]
    assert found["forecast"]["before"] == {"limit": "quota", "users": 1200, "usdPerHour": 3.46}
    assert found["forecast"]["after"] == {"limit": "none", "users": None, "usdPerHour": 4.0}
    assert found["forecast"]["atUsers"] is None


def test_remediations_rule_changes_and_unknown_values_are_listed() -> None:
    changes = (
        PropertyChange(("a",), Change.ADD, None, UNKNOWN),
        PropertyChange(("b",), Change.ADD, None, Secret("tiger")),
    )
    fix = Remediation("labels", "kingdom", make_urn("dev", "kingdom", POD, "pod"), "a.py:1", changes, "Text.")
    rule = RuleChange("labels", "removed", "advisory", "", ("dev",))
    found = parsed(replace(review_of(stack_of("dev", remediations=(fix,))), rule_changes=(rule,)))
    (item,) = found["remediations"]
    assert (item["policy"], item["resource"], item["type"], item["stacks"]) == ("labels", "pod", POD, ["dev"])
    assert [change["path"] for change in item["changes"]] == ["a", "b"]
    assert "tiger" not in json.dumps(item)
    assert found["ruleChanges"] == [
        {"rule": "labels", "kind": "removed", "before": "advisory", "after": None, "stacks": ["dev"]}
    ]
    assert (found["ok"], found["exitCode"]) == (False, 4)
