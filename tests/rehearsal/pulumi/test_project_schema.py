"""Types of what a project file declares for the CLI alone."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.pulumi.project_schema import schema_problems


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"description": 5}, "description: must be text, not 5"),
        ({"author": ["me"]}, "author: must be text, not a list"),
        (
            {"runtime": {"name": "python", "version": "3"}},
            "runtime.version: unknown; the keys are name, options",
        ),
        (
            {"runtime": {"name": "python", "options": None}},
            "runtime.options: must be a mapping; it has no value",
        ),
        ({"backend": {"path": "a"}}, "backend.path: unknown; the keys are url"),
        ({"backend": "file://"}, "backend: must be a mapping, not a text"),
        ({"template": []}, "template: must be a mapping, not a list"),
        ({"packages": None}, "packages: must be a mapping, not None"),
        ({"packages": {"a": 5}}, "packages.a: must be text or a mapping, not 5"),
        ({"packages": {"a": {"version": "1"}}}, "packages.a.source: must be the source of the package"),
        ({"packages": {"a": {"source": 1}}}, "packages.a.source: must be text, not 1"),
        (
            {"packages": {"a": {"source": "b", "parameters": "c"}}},
            "packages.a.parameters: must be a list of texts",
        ),
    ],
)
def test_value_that_the_schema_of_the_cli_does_not_allow_is_a_problem(
    data: dict[str, Any], problem: str
) -> None:
    assert list(schema_problems(data)) == [problem]


def test_file_with_valid_and_unknown_keys_has_no_problem() -> None:
    data = {
        "description": None,
        "runtime": "python",
        "backend": {"url": "file://"},
        "template": {"config": {"a": {"secret": True}}},
        "packages": {
            "a": "b@1.0.0",
            "c": {"source": "d", "parameters": ["e"], "checksums": {"linux-amd64": "0"}},
        },
        "anything": [1],
    }
    assert list(schema_problems(data)) == []
