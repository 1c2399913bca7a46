"""Single values of a stack file's text."""

from __future__ import annotations

import pytest
import yaml

from rehearsal.errors import InputError
from rehearsal.monitoring.recommendations.stack_patch import changed, diff
from tests.repository._tree import ROOT

TEXT = (ROOT / "stacks" / "Pulumi.prod.yaml").read_text()
PATH = ("kingdom:workload", "api", "resources", "memoryMi")


def test_one_value_changes_and_comments_stay() -> None:
    after = changed(TEXT, PATH, "1024")
    assert yaml.safe_load(after)["config"]["kingdom:workload"]["api"]["resources"]["memoryMi"] == 1024
    removed = [line for line in TEXT.splitlines() if line not in after.splitlines()]
    assert len(removed) == 1
    assert changed(after, PATH, "768") == TEXT


def test_the_diff_names_the_file() -> None:
    found = diff(TEXT, changed(TEXT, PATH, "1024"), "stacks/Pulumi.prod.yaml")
    assert found.startswith("--- a/stacks/Pulumi.prod.yaml\n+++ b/stacks/Pulumi.prod.yaml\n")
    assert sum(line.startswith("+") for line in found.splitlines()) == 2


@pytest.mark.parametrize("path", [("kingdom:workload", "absent"), ("kingdom:workload", "api")])
def test_what_is_no_single_value_is_named(path: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="kingdom:workload"):
        changed(TEXT, path, "1")
