"""Signals of a project with the values of its stack files."""

from __future__ import annotations

import pytest
import yaml

from rehearsal.errors import KingdomError
from rehearsal.monitoring.signals import declared, path_of
from rehearsal.pulumi.project import Project
from tests.repository._tree import ROOT


def test_thresholds_are_those_of_the_stack_file() -> None:
    project = Project.at(ROOT)
    config = yaml.safe_load((ROOT / "stacks/Pulumi.prod.yaml").read_text())["config"]
    expected = config["kingdom:observability"]["thresholds"]["errorPercent"]
    limits = declared(project, "prod").signals["errors"].threshold
    assert limits is not None
    assert (limits.warning, limits.critical) == (expected["warning"], expected["critical"])


def test_signals_of_the_cluster_alone_are_not_local() -> None:
    signals = declared(Project.at(ROOT), "local")
    assert {name for name in signals.signals if name not in signals.local()} == {
        "node-disk", "node-cpu", "redis-memory", "redis-connections", "nat-drops",
    }  # fmt: skip


def test_a_project_without_signals_is_reported(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("project")
    (root / "Pulumi.yaml").write_text("name: little\nruntime: python\n")
    (root / "__main__.py").write_text("")
    project = Project.at(root)
    assert not path_of(project).exists()
    with pytest.raises(KingdomError, match="declares no signals"):
        declared(project, "local")
