"""Lines of settings in a stack file, changed settings, and the setting that a message is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.pulumi.project import Stack
from rehearsal.review.changes.stack_file import (
    ChangedSetting,
    cause,
    changed_settings,
    line_of,
    places,
    wrong_settings,
)

TEXT = """\
config:
  gcp:project: kingdom-prod
  kingdom:workload:
    api:
      maxReplicas: 100
      zones: [a, b]
  kingdom:lists:
    - name: one
    - name: two
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(TEXT)
    return file


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("gcp:project", 2),
        ("kingdom:workload", 3),
        ("kingdom:workload.api.maxReplicas", 5),
        ("kingdom:workload.api.zones[1]", 6),
        ("kingdom:lists[1]", 9),
        ("kingdom:lists[1].name", 9),
        ("kingdom:workload.api.missing", 4),  # the line of the section it is missing in
        ("kingdom:workload.api.zones[2]", 6),
        ("kingdom:lists[x]", 1),  # not an index
        ("other:key", 1),
    ],
)
def test_line_of_a_setting_or_of_the_section_it_is_missing_in(path: Path, key: str, line: int) -> None:
    assert line_of(path, key) == line


@pytest.mark.parametrize("text", [None, b"", b"a: 1\n", b"config: [\n", b"\xff", b"- config\n"])
def test_file_without_the_setting_has_line_0(tmp_path: Path, text: bytes | None) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    if text is not None:
        file.write_bytes(text)
    assert line_of(file, "gcp:project") == 0


ERROR = """\
stack "prod": 2 settings are wrong in stacks/Pulumi.prod.yaml, and nothing was changed
  kingdom:workload.api.maxReplicas = 100
      must be less
  kingdom:edge.zone
      is missing"""


def test_wrong_settings_have_key_message_and_line(path: Path) -> None:
    assert [(item.key, item.message, item.line) for item in wrong_settings(ERROR, path)] == [
        ("kingdom:workload.api.maxReplicas", "kingdom:workload.api.maxReplicas = 100: must be less", 5),
        ("kingdom:edge.zone", "kingdom:edge.zone: is missing", 1),
    ]


def test_setting_on_the_last_line_has_no_remedy(path: Path) -> None:
    (wrong,) = wrong_settings("\n".join(ERROR.splitlines()[:2]), path)
    assert wrong.message == "kingdom:workload.api.maxReplicas = 100: "


def test_other_errors_have_no_wrong_settings(path: Path) -> None:
    assert wrong_settings("infra/cache.py:5: the program raised ValueError\n  gcp:project", path) == ()


def stack(path: Path, **config: str) -> Stack:
    return Stack("prod", path, {key.replace("_", ":"): value for key, value in config.items()}, None)


def changes(path: Path, before: Stack | None, after: Stack) -> list[tuple[str, str, int]]:
    return [(item.key, item.value, item.line) for item in changed_settings(before, after)]


def test_changed_settings_are_named_as_deep_as_they_differ(path: Path) -> None:
    before = stack(
        path,
        gcp_project="kingdom-dev",
        kingdom_workload='{"api":{"maxReplicas":50,"zones":["a","c"],"same":1}}',
        kingdom_lists="[]",
    )
    after = stack(
        path,
        gcp_project="kingdom-prod",
        kingdom_workload='{"api":{"maxReplicas":100,"zones":["a","b"],"same":1}}',
        kingdom_lists='{"name":"one"}',
    )
    assert changes(path, before, after) == [
        ("gcp:project", "kingdom-prod", 2),
        ("kingdom:workload.api.maxReplicas", "100", 5),
        ("kingdom:workload.api.zones[1]", "b", 6),
        ("kingdom:lists", '{"name": "one"}', 7),  # of another kind: as a whole
    ]


def test_new_settings_are_whole_and_removed_ones_are_at_their_section(path: Path) -> None:
    old = stack(path, kingdom_workload='{"api":{"gone":1}}')
    new = stack(path, kingdom_workload='{"api":{}}', kingdom_lists="[1]")
    assert changes(path, old, new) == [
        ("kingdom:workload.api.gone", "", 4),
        ("kingdom:lists", "[1]", 7),
    ]
    assert changes(path, None, stack(path, gcp_project="true")) == [("gcp:project", "true", 2)]


def test_equal_settings_are_not_changed(path: Path) -> None:
    one = stack(path, gcp_project="a", kingdom_lists="[1, 2]")
    assert changes(path, one, stack(path, gcp_project="a", kingdom_lists="[1,2]")) == []


CHANGED = (
    ChangedSetting("kingdom:workload.api.maxReplicas", "150", 5),
    ChangedSetting("kingdom:cache.minGb", "16", 9),
)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("spec.maxReplicas: must be at most 100", 5),  # the key's name
        ("spec.MAXREPLICAS must be at most 100", 5),
        ("150 replicas need more nodes", 5),  # a word of the key, and the value
        ("1500 replicas need more nodes", None),
        ("1.150 replicas need more nodes", None),
        ("replicas must be fewer", None),  # a word alone
        ("150 pods need more nodes", None),  # the value alone
        ("16 min gb", None),  # words of the key are too short to identify it
        ("the cache must have minGb of 8", 9),
    ],
)
def test_cause_is_the_setting_whose_name_or_value_the_message_has(message: str, line: int | None) -> None:
    found = cause(CHANGED, message, only=False)
    assert (found.line if found is not None else None) == line


def test_single_changed_setting_is_the_cause_of_any_message_where_nothing_else_changed() -> None:
    assert cause(CHANGED[:1], "unrelated", only=True) == CHANGED[0]
    assert cause(CHANGED[:1], "unrelated", only=False) is None
    assert cause(CHANGED, "unrelated", only=True) is None
    assert cause((), "unrelated", only=True) is None


def test_places_are_python_and_yaml_files_with_a_line() -> None:
    text = "infra/cache.py:5: raised in /a/b-c.yaml:12 and x.yml:3, not in a.json:4 or b.py"
    assert list(places(text)) == [("infra/cache.py", 5), ("/a/b-c.yaml", 12), ("x.yml", 3)]
