"""Invalid inputs: both engines report every problem with its path and the same message.

`kingdom` checks every resource; the CLI stops at the first invalid one, with all of its problems.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path

import pytest

from rehearsal.pulumi.urn import name_of
from tests.rehearsal.parity.kingdom_cli import Kingdom
from tests.rehearsal.parity.pulumi_cli import Pulumi, copy_project
from tests.rehearsal.providers.invalid_inputs import WRONG

PROGRAM = Path(__file__).parent / "wrong" / "__main__.py"
PACKAGES = ("gcp", "kubernetes", "mongodbatlas", "cloudflare")
Problems = dict[str, set[str]]  # by resource: "path: reason"

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900), pytest.mark.xdist_group("parity")]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Problems:
    """Return the problems that `kingdom` reports for all resources."""
    kingdom = Kingdom(copy_project(tmp_path_factory.mktemp("kingdom"), PROGRAM))
    ran = kingdom.run("preview", "--stack", "dev")
    assert ran.code == 1
    problems: Problems = defaultdict(set)
    for item in json.JSONDecoder().raw_decode(ran.output)[0]["diagnostics"]:
        problems[name_of(item["urn"])].add(item["message"])
    return problems


@pytest.fixture(scope="module")
def pulumi(providers: str, tmp_path_factory: pytest.TempPathFactory) -> Pulumi:
    project = copy_project(tmp_path_factory.mktemp("pulumi"), PROGRAM)
    pulumi = Pulumi(project, tmp_path_factory.mktemp("home"), providers)
    assert pulumi.run("stack", "init", "dev").code == 0
    return pulumi


def test_every_problem_of_every_resource_is_listed_at_once(ours: Problems) -> None:
    assert ours.keys() == {f"wrong-{index}" for index in range(len(WRONG))}
    for index, wrong in enumerate(WRONG):
        problems = ours[f"wrong-{index}"]
        assert len(problems) == len(wrong.problems), problems
        for path, reason in wrong.problems.items():
            assert any(
                line.startswith(f"{path}: " if path else "") and reason in line for line in problems
            ), problems


@pytest.mark.parametrize("package", PACKAGES)
def test_the_cli_reports_the_same_problems(
    pulumi: Pulumi, ours: Problems, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRONG_PACKAGE", f"{package}:")
    ran = pulumi.run("preview", "--stack", "dev")
    assert ran.code
    theirs: Problems = defaultdict(set)
    # `issueCheckFailures` in pkg/resource/deploy: with a property, and without
    for name, path, _, reason in re.findall(
        r"resource '(wrong-\d+)'(?:: property (\S+) value (\{.*?\}) has a problem|[^:]*): (.+)", ran.output
    ):
        theirs[name].add(f"{path}: {reason}" if path else reason)
    assert theirs, ran.output
    for name, problems in theirs.items():
        assert problems == ours[name]
