"""Compare autoscaling decisions with the upstream controller on random traces, in virtual time.

`--hpa-seed` and `--hpa-traces` select other traces: `make cluster ARGS="tests/cluster/hpa --hpa-seed 7"`.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.cluster import binaries
from tests.cluster.hpa.comparison import build, decide_upstream, differences
from tests.cluster.hpa.traces import trace

# Traces go through the controller in batches, so that a difference is found early.
_BATCH = 500


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the upstream controller as a program, or skip with the reason."""
    deadline = time.monotonic() + binaries.BUILD_SECONDS
    try:
        return build(tmp_path_factory.mktemp("oracle"), deadline)
    except binaries.UnavailableError as error:
        pytest.skip(f"no real controller: {error}")


def test_every_decision_equals_the_upstream_decision(
    oracle: Path, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    seed, count = pytestconfig.getoption("hpa_seed"), pytestconfig.getoption("hpa_traces")
    compared = 0
    for start in range(0, count, _BATCH):
        traces = [trace(f"{seed}-{number}") for number in range(start, min(count, start + _BATCH))]
        decided, found = differences(traces, decide_upstream(oracle, traces, tmp_path))
        assert not found, f"{len(found)} of {len(traces)} traces differ, such as {found[0]}"
        compared += decided
    print(f"seed {seed}: {compared} decisions of {count} traces agree")
