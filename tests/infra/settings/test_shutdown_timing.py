"""Drain, request time and probes fit into the grace period."""

from __future__ import annotations

import pytest

from infra.settings import Settings
from infra.settings.shutdown_timing import MARGIN_SECONDS, PROBE_FAILURES, Termination
from tests.infra.rehearsal import configuration


@pytest.mark.parametrize("stack", ["local", "dev", "staging", "prod"])
def test_pod_leaves_the_load_balancer_before_it_stops_serving(stack: str) -> None:
    timing = Termination.of(Settings.parse(stack, configuration(stack)).workload)
    assert timing.probe * (PROBE_FAILURES + 1) <= max(timing.drain, PROBE_FAILURES + 1)
    assert timing.grace == timing.drain + timing.finish + MARGIN_SECONDS
    assert timing.dependency_check < timing.probe_timeout <= timing.probe
