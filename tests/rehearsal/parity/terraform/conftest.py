"""The report of the random values at the end of a run."""

from __future__ import annotations

import pytest

from tests.rehearsal.parity.terraform.rates import REPORTS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the rates and all differences of each provider."""
    reports: dict[str, list[str]] = config.stash.get(REPORTS, {})
    for title, lines in reports.items():
        terminalreporter.section(f"random values: {title}")
        for line in lines:
            terminalreporter.line(line)
