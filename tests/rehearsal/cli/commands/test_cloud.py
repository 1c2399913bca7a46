"""`kingdom cloud` serves until it is interrupted and prints where."""

from __future__ import annotations

import json
import re
import signal
import subprocess

import pytest

from tests.rehearsal.minimal import KINGDOM
from tests.support.backends import listens

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("options", "number"), [([], signal.SIGINT), (["--json"], signal.SIGTERM)])
def test_clouds_are_served_until_a_signal(options: list[str], number: signal.Signals) -> None:
    with subprocess.Popen(
        [KINGDOM, "cloud", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            ports = [int(port) for port in re.findall(r":(?:127\.0\.0\.1:)?(\d{4,5})\b", line)] or [
                int(port) for port in re.findall(r"\b(\d{4,5})\b", line)
            ]
            assert ports
            assert all(listens(port) for port in ports)
            if options:
                assert isinstance(json.loads(line), dict)
            else:
                assert line.startswith("PULUMI_DEBUG_PROVIDERS=")
                assert "kubernetes:" in line
            process.send_signal(number)
            rest, errors = process.communicate(timeout=30)
            assert (process.returncode, rest) == (0, "")
            assert ("Ctrl-C here ends the clouds" in errors) == (not options)
            assert not any(listens(port) for port in ports)
        finally:
            process.kill()
