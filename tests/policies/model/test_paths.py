"""Paths are written as Pulumi writes them."""

from __future__ import annotations

import pytest

from policies.model.paths import Path, format_path


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("spec", "containers", 0, "image"), "spec.containers[0].image"),
        (("metadata", "labels", "app.io/name"), 'metadata.labels["app.io/name"]'),
        (("data", ""), 'data[""]'),
        (("data", 'a"b'), 'data["a\\"b"]'),
        ((0, "a"), "[0].a"),
    ],
)
def test_path_is_written_as_pulumi_writes_it(path: Path, text: str) -> None:
    assert format_path(path) == text
