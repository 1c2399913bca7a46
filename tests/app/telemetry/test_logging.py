"""Structured logs: one JSON object per line with severity and fixed fields."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import structlog
from app.settings import LogLevel
from app.telemetry import context
from app.telemetry.logging import configure
configure(LogLevel.{level}, role="api", pod="one")
context.current.set({{"request_id": "abc"}})
log = structlog.get_logger()
log.info("started", text='a\\nb"', other=object)
try:
    raise ValueError("broken")
except ValueError:
    log.exception("failed")
"""


@pytest.mark.parametrize(("level", "messages"), [("INFO", ["started", "failed"]), ("ERROR", ["failed"])])
def test_lines_are_json_objects_from_the_configured_level(level: str, messages: list[str]) -> None:
    command = [sys.executable, "-c", PROGRAM.format(level=level)]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    lines = [json.loads(line) for line in output.splitlines()]
    assert [line["message"] for line in lines] == messages
    assert {(line["role"], line["pod"], line["request_id"]) for line in lines} == {("api", "one", "abc")}
    assert lines[-1]["severity"] == "ERROR"
    assert "ValueError: broken" in lines[-1]["exception"]
    assert all(line["time"].endswith("Z") for line in lines)
