"""Identifiers that two environments share are findings at their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.pulumi.project import Project
from rehearsal.review.changes.shared_identifiers import KEYS, shared_identifiers

ROOT = Path(__file__).parents[4]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: kingdom\nruntime: python\nstackConfigDir: stacks\n")
    (tmp_path / "__main__.py").touch()
    (tmp_path / "stacks").mkdir()
    return tmp_path


def stack(root: Path, name: str, config: str) -> None:
    (root / "stacks" / f"Pulumi.{name}.yaml").write_text(f"config:\n{config}")


def found(root: Path) -> list[tuple[str, str, int]]:
    return [(item.message, item.file, item.line) for item in shared_identifiers(Project.at(root))]


def test_shared_value_is_one_mandatory_finding_at_its_line_in_the_last_stack(root: Path) -> None:
    for name in ("dev", "staging", "prod"):
        stack(root, name, f"  gcp:project: kingdom-{name}\n  kingdom:edge:\n    zone: z\n")
    (finding,) = shared_identifiers(Project.at(root))
    assert finding.message == "kingdom:edge.zone is z in dev and staging and prod"
    assert (finding.file, finding.line, finding.stacks) == (
        "stacks/Pulumi.prod.yaml",
        4,
        ("dev", "staging", "prod"),
    )
    assert (finding.mandatory, finding.rule.name) == (True, "environment-identifiers")


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_compared(root: Path, key: str) -> None:
    namespace, _, rest = key.partition(":")
    head, *parts = rest.split(".")
    value = "a"
    for part in reversed(parts):
        value = f"{{{part}: {value}}}"
    for name in ("dev", "prod"):
        stack(root, name, f"  {namespace}:{head}: {value}\n")
    assert found(root) == [(f"{key} is a in dev and prod", "stacks/Pulumi.prod.yaml", 2)]


def test_each_shared_value_is_a_finding_of_its_own(root: Path) -> None:
    for name, project in (("dev", "a"), ("local", "a"), ("prod", "b"), ("qa", "b"), ("staging", "c")):
        stack(root, name, f"  gcp:project: {project}\n")
    assert [message for message, _, _ in found(root)] == [
        "gcp:project is a in local and dev",
        "gcp:project is b in prod and qa",
    ]


@pytest.mark.parametrize("value", ["{}", "3", "{zone: null}", "text", "[zone]"])
def test_absent_identifiers_are_not_compared(root: Path, value: str) -> None:
    for name in ("dev", "prod"):
        stack(root, name, f"  kingdom:edge: {value}\n")
    assert found(root) == []


def test_stack_file_that_cannot_be_read_is_left_to_its_own_plan(root: Path) -> None:
    stack(root, "dev", "  gcp:project: a\n")
    stack(root, "prod", "  gcp:project: a\n")
    stack(root, "staging", "  gcp:project: [\n")
    assert [message for message, _, _ in found(root)] == ["gcp:project is a in dev and prod"]


def test_stacks_of_this_repository_share_nothing() -> None:
    assert shared_identifiers(Project.at(ROOT)) == ()
