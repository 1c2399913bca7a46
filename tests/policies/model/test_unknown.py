"""Unknown values: one object that no condition can use by mistake, and a preview that lists them.

The preview is of `programs/preview_unknowns.py.txt`: what can be proven is a finding, the rest is listed.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from policies.model.unknown import UNKNOWN, Unknown

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).parent / "programs" / "preview_unknowns.py.txt"


@pytest.fixture(scope="module")
def violations(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The violations of a preview of the program, as `kingdom preview --json` reports them."""
    folder = tmp_path_factory.mktemp("unknowns")
    (folder / "__main__.py").write_text(PROGRAM.read_text())
    (folder / "Pulumi.yaml").write_text("name: unknowns\nruntime: python\n")
    (folder / "Pulumi.dev.yaml").write_text("config: {}\n")
    kingdom = Path(sys.executable).with_name("kingdom")
    done = subprocess.run(
        [str(kingdom), "preview", "-s", "dev", "--json", "--policy-pack", str(ROOT / "policies")],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    return json.loads(done.stdout)["violations"]


def messages(violations: list[dict[str, Any]], policy: str, level: str) -> str:
    return "\n".join(
        f"{item['urn'].rpartition('::')[2]}: {item['message']}"
        for item in violations
        if (item["policy"], item["level"]) == (policy, level)
    )


def test_quota_that_the_known_workloads_exceed_is_a_finding(violations: list[dict[str, Any]]) -> None:
    found = messages(violations, "quota-covers-peak", "mandatory")
    assert "qb: " in found
    assert "5 is less than the 18" in found
    assert "qc: " in found  # its namespace is unknown, but the same as that of its workload


def test_quota_that_an_unknown_replica_count_may_exceed_is_not_proven(
    violations: list[dict[str, Any]],
) -> None:
    assert "qa: " not in messages(violations, "quota-covers-peak", "mandatory")
    assert "qa spec.hard.pods is not proven" in messages(violations, "quota-covers-peak", "unevaluated")


@pytest.mark.parametrize(
    ("policy", "value"),
    [
        ("pdb-required", "unknown2 spec.replicas is not known yet"),
        ("tls-ingress", "spec.rules[0].host is not known yet"),
    ],
)
def test_unknown_value_is_named_and_reports_nothing_about_it(
    violations: list[dict[str, Any]], policy: str, value: str
) -> None:
    assert value in messages(violations, policy, "unevaluated")
    found = messages(violations, policy, "mandatory")
    assert not any(name in found for name in ("unknown-replicas", "unknown2", "'known'", "ing:"))


def test_budget_that_allows_no_disruption_of_any_pod_is_a_finding(violations: list[dict[str, Any]]) -> None:
    found = messages(violations, "pdb-allows-disruption", "mandatory")
    assert "spec.maxUnavailable: 0 allows no disruption" in found


@pytest.mark.parametrize("policy", ["pss-privileged", "pss-host-namespaces"])
def test_pods_of_a_custom_resource_are_evaluated(violations: list[dict[str, Any]], policy: str) -> None:
    assert "ro: " in messages(violations, policy, "mandatory")


def test_there_is_one_unknown() -> None:
    assert Unknown() is UNKNOWN
    assert copy.copy(UNKNOWN) is UNKNOWN


def test_truth_value_of_an_unknown_is_an_error() -> None:
    with pytest.raises(TypeError, match="value is UNKNOWN"):
        bool(UNKNOWN)
