"""Thresholds file: complete, known fields only, critical above warning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.telemetry.thresholds import ThresholdsError, read

NAMES = ("cpu", "memory", "responseTime", "errorRate", "databaseConnections")


def write(path: Path, **changes: Any) -> Path:
    file = path / "thresholds.json"
    content = {name: {"warning": 1, "critical": 2, "unit": "percent"} for name in NAMES} | changes
    file.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))
    return file


def test_valid_file_is_read_with_its_text(tmp_path: Path) -> None:
    path = write(tmp_path, cpu={"warning": 80, "critical": 90.5, "unit": "percent"})
    text, thresholds = read(path)
    assert text == path.read_bytes()
    assert (thresholds.cpu.warning, thresholds.cpu.critical) == (80, 90.5)


@pytest.mark.parametrize(
    "changes",
    [
        {"cpu": {"warning": 2, "critical": 2, "unit": "percent"}},
        {"cpu": {"warning": 3, "critical": 2, "unit": "percent"}},
        {"cpu": {"warning": 0, "critical": 2, "unit": "percent"}},
        {"cpu": None},
        {"disk": {"warning": 1, "critical": 2, "unit": "percent"}},
    ],
)
def test_invalid_file_is_rejected_with_its_path(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ThresholdsError, match=r"thresholds\.json"):
        read(write(tmp_path, **changes))


def test_missing_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ThresholdsError, match="missing"):
        read(tmp_path / "missing.json")
