"""The Pulumi CLI and `kingdom` have the same results for the platform's program."""

from __future__ import annotations

import json
import re

import pytest

from rehearsal.pulumi.urn import name_of
from tests.rehearsal.parity.conftest import Life
from tests.rehearsal.parity.pulumi_cli import Finding, alike
from tests.rehearsal.parity.records import differences

# The first test of a stack waits for its complete lifecycle under both engines.
pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800), pytest.mark.xdist_group("parity")]

# The witness pack prints complete resources, including the word warning in alerts.
WITNESSED = ("again", "unprotected")


def test_every_command_succeeds_under_both_engines(lives: tuple[Life, Life]) -> None:
    for life in lives:
        failed = {name: ran.output for name, ran in life.ran.items() if ran.code}
        assert not failed, "\n".join(f"{name}:\n{output}" for name, output in failed.items())


def test_program_has_neither_warnings_nor_deprecated_properties(lives: tuple[Life, Life]) -> None:
    for life in lives:
        for name, ran in life.ran.items():
            if name in WITNESSED:
                continue
            text = ran.output.lower()
            # Alerts are named `…-warning`; the engines write `warning: …`, and as JSON a severity.
            assert not re.search(r'\bwarning:|"severity": "warning"', text), f"{name}: {ran.output}"
            assert "deprecat" not in text, f"{name}: {ran.output}"
            assert "traceback" not in text, f"{name}: {ran.output}"


def test_a_second_run_changes_nothing(lives: tuple[Life, Life]) -> None:
    theirs, ours = lives
    assert theirs.ran["again"].code == 0  # --expect-no-changes
    for name in ("again", "refresh"):
        result = json.JSONDecoder().raw_decode(ours.ran[name].output)[0]
        assert result["changed"] is False, f"{name}: {result['steps']}"


def test_both_engines_record_the_same_resources(lives: tuple[Life, Life]) -> None:
    """URNs, inputs, outputs, parents, dependencies, providers, protection and every other option."""
    theirs, ours = lives
    assert len(theirs.records) > 50
    assert differences(theirs.records, ours.records) == []


def test_protected_resources_are_not_destroyed(lives: tuple[Life, Life]) -> None:
    """Both engines refuse with the reason, and delete once the stack file sets `protect: false`."""
    held = {name_of(urn) for urn, record in lives[0].records.items() if record.get("protect")}
    for life in lives:
        assert life.after_refusal == life.records
        if held:
            assert life.refused is not None
            assert life.refused.code
            assert "protected" in life.refused.output
    if (ours := lives[1].refused) is not None:
        assert not [name for name in held if name not in ours.output]  # the CLI stops at the first ones


def test_the_policy_pack_finds_the_same_before_anything_exists(lives: tuple[Life, Life]) -> None:
    theirs, ours = lives
    assert alike(ours.ran["preview"].findings) == alike(theirs.ran["preview"].findings)


def test_the_policy_pack_finds_nothing_in_what_was_created(lives: tuple[Life, Life]) -> None:
    theirs, ours = lives
    assert theirs.ran["up"].findings == ours.ran["up"].findings == frozenset()


def test_both_engines_show_a_policy_pack_the_same(lives: tuple[Life, Life]) -> None:
    theirs, ours = lives
    seen = theirs.ran["again"].findings
    assert len({urn for policy, _, urn, _ in seen if policy == "resource"}) == len(theirs.records)
    assert _shown(seen) == _shown(ours.ran["again"].findings)


def _shown(findings: frozenset[Finding]) -> dict[tuple[str, str], object]:
    return {(policy, urn): json.loads(text[text.index("{") :]) for policy, _, urn, text in findings}
