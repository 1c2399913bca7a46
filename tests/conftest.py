"""Settings of every test."""

from __future__ import annotations

import signal

import pytest
from hypothesis import settings

# A shell starts background jobs with SIGINT ignored, and children inherit that: tests that interrupt a
# process would never end. A signal that is not ignored here has its default action in a child.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadline: the duration of an example depends more on the machine than on the code. The examples are the
# same in every run, so that a change cannot fail because of an older fault; `--hypothesis-profile=explore`
# draws others.
settings.register_profile("kingdom", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("kingdom")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of suites that draw their cases at random."""
    group = parser.getgroup("kingdom")
    group.addoption("--hpa-seed", default="1", help="Seed of the traces for the real autoscaling controller.")
    group.addoption("--hpa-traces", type=int, default=1500, help="How many traces it decides.")
    group.addoption("--seed", type=int, default=1, help="Seed of the random programs or values.")
    group.addoption("--programs", type=int, default=20, help="How many random programs to compare.")
    group.addoption("--draws", type=int, default=500, help="How many refused and accepted values to compare.")
    group.addoption("--batch", type=int, default=10, help="How many of them share one stack.")
    group.addoption(
        "--public-programs", default="", help="Folder with clones of pulumi/examples and pulumi/templates."
    )
