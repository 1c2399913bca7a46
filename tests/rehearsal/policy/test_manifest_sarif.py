"""SARIF of `kingdom check`: valid by the published schema, with every finding at its place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from rehearsal.errors import InputError
from rehearsal.policy.manifest_check import Remark, Report
from rehearsal.policy.manifest_sarif import sarif, write_sarif
from rehearsal.review.formats.sarif import MAX_RESULTS

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "review" / "formats" / "sarif-schema-2.1.0.json").read_text()
)
REMARK = Remark(
    level="mandatory",
    severity="high",
    policy="pss-privileged",
    tags=("PSS:baseline",),
    file="web.yaml",
    line=7,
    kind="Pod",
    name="web",
    namespace="shop",
    path="spec.containers[0].securityContext.privileged",
    message="must not be true",
    description="Containers must not be privileged.",
    remediation="Remove the field.",
)
SCHEMA_REMARK = replace(REMARK, level="advisory", severity="medium", policy="schema", tags=(), path="kind")


def run_of(report: Report) -> dict[str, Any]:
    """The run of the report's log, which must be valid."""
    log = sarif(report)
    jsonschema.Draft4Validator(SCHEMA).validate(log)
    (run,) = log["runs"]
    return run


def test_finding_has_rule_level_message_place_and_object() -> None:
    run = run_of(Report(1, (REMARK, SCHEMA_REMARK)))
    rules = run["tool"]["driver"]["rules"]
    assert [rules[item["ruleIndex"]]["id"] for item in run["results"]] == ["pss-privileged", "schema"]
    first, second = run["results"]
    assert (first["level"], second["level"]) == ("error", "warning")
    assert first["message"]["text"] == (
        "spec.containers[0].securityContext.privileged: must not be true (Pod web)"
    )
    (location,) = first["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "web.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 7},
    }
    assert location["logicalLocations"] == [{"name": "Pod web", "kind": "object"}]


def test_rules_are_those_of_the_findings_with_the_metadata_of_the_pack() -> None:
    rules = run_of(Report(1, (SCHEMA_REMARK, REMARK, REMARK)))["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["pss-privileged", "schema"]
    privileged, schema = rules
    assert "security" in privileged["properties"]["tags"]
    assert privileged["shortDescription"]["text"] != REMARK.description  # the pack's own
    assert schema["shortDescription"]["text"] == "Containers must not be privileged."
    assert schema["help"]["text"] == "Remove the field."


def test_finding_on_a_whole_file_is_at_its_first_line() -> None:
    remark = replace(REMARK, line=0, kind="", name="", path="")
    (result,) = run_of(Report(0, (remark,)))["results"]
    (location,) = result["locations"]
    assert location["physicalLocation"]["region"] == {"startLine": 1}
    assert location["logicalLocations"] == [{"name": "web.yaml", "kind": "object"}]
    assert result["message"]["text"] == "must not be true"


def test_ignored_finding_is_a_result_with_the_reason_as_its_suppression() -> None:
    run = run_of(Report(1, (SCHEMA_REMARK,), ignored=((REMARK, "loads a kernel module"),)))
    counted, suppressed = run["results"]
    assert "suppressions" not in counted
    assert suppressed["suppressions"] == [{"kind": "inSource", "justification": "loads a kernel module"}]


def test_fingerprint_outlasts_a_moved_line_and_differs_between_equal_findings() -> None:
    def marks(*remarks: Remark) -> list[str]:
        return [
            item["partialFingerprints"]["kingdomFinding/v1"] for item in run_of(Report(1, remarks))["results"]
        ]

    assert marks(REMARK) == marks(replace(REMARK, line=99, file="moved.yaml"))
    assert marks(REMARK) != marks(replace(REMARK, name="other"))
    first, second = marks(REMARK, replace(REMARK, line=99))
    assert (first.rpartition(":")[2], second.rpartition(":")[2]) == ("1", "2")


@pytest.mark.parametrize(
    ("report", "code", "successful"),
    [
        (Report(1, ()), 0, True),
        (Report(1, (SCHEMA_REMARK,)), 0, True),
        (Report(1, (REMARK,)), 1, True),
        (Report(1, (), unreadable=("a.yaml:2: not YAML",)), 2, False),
        (Report(1, (REMARK,), unreadable=("a.yaml:2: not YAML",)), 1, False),
    ],
)
def test_invocation_has_the_exit_code_and_fails_when_a_file_was_not_read(
    report: Report, code: int, successful: bool
) -> None:
    (invocation,) = run_of(report)["invocations"]
    assert (invocation["exitCode"], invocation["executionSuccessful"]) == (code, successful)


def test_unevaluated_and_unread_texts_are_notifications() -> None:
    report = Report(1, (), unevaluated=("quota.yaml:4: x",), unreadable=("a.yaml:2: not YAML",))
    (invocation,) = run_of(report)["invocations"]
    assert [
        (item["level"], item["message"]["text"]) for item in invocation["toolExecutionNotifications"]
    ] == [("note", "not evaluated: quota.yaml:4: x"), ("error", "not read: a.yaml:2: not YAML")]


def test_findings_beyond_the_limit_are_counted() -> None:
    remarks = tuple(replace(REMARK, line=line) for line in range(1, MAX_RESULTS + 1))
    run = sarif(Report(1, remarks))["runs"][0]
    assert (len(run["results"]), run["invocations"][0]["toolExecutionNotifications"]) == (MAX_RESULTS, [])
    run = sarif(Report(1, (*remarks, REMARK)))["runs"][0]
    assert len(run["results"]) == MAX_RESULTS
    (notice,) = run["invocations"][0]["toolExecutionNotifications"]
    assert notice["message"]["text"] == f"1 of {MAX_RESULTS + 1} findings are left out"


def test_places_are_uris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def place(file: str) -> dict[str, str]:
        (result,) = run_of(Report(1, (replace(REMARK, file=file),)))["results"]
        found: dict[str, str] = result["locations"][0]["physicalLocation"]["artifactLocation"]
        return found

    absolute = str(tmp_path / "a b#.yaml")
    assert place(absolute) == {"uri": f"file://{tmp_path}/a%20b%23.yaml"}
    monkeypatch.chdir(tmp_path)
    relative = {"uri": "a%20b%23.yaml", "uriBaseId": "%SRCROOT%"}
    assert place(absolute) == place("a b#.yaml") == relative


def test_log_is_written_as_json_and_an_unwritable_file_is_an_input_error(tmp_path: Path) -> None:
    file = tmp_path / "policies.sarif"
    write_sarif(Report(1, (REMARK,)), file)
    assert json.loads(file.read_text()) == sarif(Report(1, (REMARK,)))
    with pytest.raises(InputError, match=r"cannot write .*nowhere/a\.sarif: No such file or directory"):
        write_sarif(Report(1, ()), tmp_path / "nowhere" / "a.sarif")
