"""`docs/policies.md`: every policy with its level, severity, tags, remediation and settings."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from policies.rules import CONCERNS, RULES
from tools.docs import policies_page as module
from tools.docs.policies_page import policies_page

PAGE = policies_page()


def section(name: str, page: str = PAGE) -> str:
    return page.partition(f"### `{name}`\n")[2].partition("\n### ")[0].partition("\n## ")[0]


def test_every_policy_has_a_section_below_its_concern_in_the_order_of_the_pack() -> None:
    assert re.findall(r"^### `(.+)`$", PAGE, re.MULTILINE) == [rule.name for rule in RULES]
    assert len(re.findall(r"^## ", PAGE, re.MULTILINE)) == len({rule.concern for rule in RULES})
    assert f"The {len(RULES)} policies of the pack" in PAGE


def test_heading_of_a_concern_is_the_summary_of_its_module() -> None:
    for concern in {rule.concern for rule in RULES}:
        title = (CONCERNS[concern].__doc__ or "").partition(":")[0]
        assert f"\n## {title}\n\n" in PAGE


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_section_has_the_facts_of_the_policy(rule: module.Rule) -> None:
    text = section(rule.name)
    assert text.lstrip("\n").startswith(rule.description)
    facts = next(
        line for line in text.splitlines() if line.startswith(f"{rule.level.value} · severity")
    ).split(" · ")
    assert facts[1] == f"severity {rule.severity.value}"
    assert ("platform-specific" in facts) == rule.platform_specific
    assert ("safe remedy" in facts) == (rule.remedy is not None)
    assert [fact.strip("`") for fact in facts if fact.startswith("`")] == list(rule.tags)
    assert f"- Remediation: {rule.remediation}" in text
    assert (f"[Why]({rule.url})." in text) == bool(rule.url)
    assert set(re.findall(r"^- `(\w+)` \(", text, re.MULTILINE)) == set(rule.settings)


def test_setting_has_its_type_default_and_description(monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, dict[str, Any]] = {
        "limit": {"type": "integer", "default": 3, "description": "pods at most"},
        "names": {"type": "array", "default": [], "description": "names to skip"},
        "text": {"type": "string", "description": "any text"},
    }
    rule = replace(RULES[0], settings=settings)
    monkeypatch.setattr(module, "RULES", (rule,))
    assert [line for line in policies_page().splitlines() if line.startswith("- `")] == [
        "- `limit` (integer, 3 unless given): pods at most",
        "- `names` (array, [] unless given): names to skip",
        "- `text` (string): any text",
    ]
