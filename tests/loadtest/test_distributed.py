"""A load test of several processes: shares, merged results, refusals, and what its image contains."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.backends import Platform

ROOT = Path(__file__).parents[2]
COPIED = re.compile(r"^COPY (\S+) /opt/kingdom/generator/(\S+)$", re.MULTILINE)
WORKERS = 2


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the image has beside the locked packages."""
    folder = tmp_path_factory.mktemp("generator")
    copied = COPIED.findall((ROOT / "loadtest" / "Containerfile").read_text())
    assert len(copied) == 4
    for source, target in copied:
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, folder / target)
    return folder


# Without the folder of the project, which an editable installation puts on the path.
MAIN = """
import sys
root, folder = sys.argv[1:]
sys.meta_path = [each for each in sys.meta_path if "editable" not in repr(each).lower()]
sys.path[:] = [folder, *(each for each in sys.path if each not in ("", root))]
from loadtest import distributed
ours = ("loadtest", "rehearsal", "app", "infra", "policies")
for name, module in sys.modules.items():
    if name.split(".")[0] in ours and module.__file__:
        assert module.__file__.startswith(folder), module.__file__
sys.exit(distributed.main())
"""


def process(image: Path, variables: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, str(ROOT), str(image)],
        cwd=image, env={"PATH": os.environ["PATH"], **variables},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def variables(index: int, **changed: str) -> dict[str, str]:
    found = {
        "ENVIRONMENT": "test", "SCENARIO": "low", "WORKERS": str(WORKERS), "HOST": "127.0.0.1",
        "PORT": "1", "COORDINATOR": "127.0.0.1", **changed,
    }  # fmt: skip
    return {f"KINGDOM_LOADTEST_{key}": value for key, value in found.items()} | {
        "JOB_COMPLETION_INDEX": str(index)
    }


def ended(
    image: Path, common: Mapping[str, str]
) -> tuple[list[subprocess.Popen[str]], list[tuple[str, str]]]:
    """All processes of a run that has ended, with their output and their errors."""
    processes = [process(image, variables(index, **common)) for index in range(WORKERS + 1)]
    try:
        return processes, [each.communicate(timeout=200) for each in processes]
    finally:
        for each in processes:
            each.kill()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"HOST": "api.kingdom.studio"}, "load tests run against no other host"),
        ({"SCENARIO": "huge"}, "unknown scenario 'huge'"),
        (
            {"WINDOW_START": "2026-01-03T02:00:00Z", "WINDOW_END": "2026-01-03T04:00:00Z"},
            "outside the window 2026-01-03",
        ),
    ],
)
def test_a_load_test_that_may_not_run_ends_at_once(
    image: Path, changed: Mapping[str, str], message: str
) -> None:
    started = process(image, variables(0, **changed))
    _, errors = started.communicate(timeout=60)
    assert started.returncode == 3, errors
    assert message in errors
    assert "Traceback" not in errors


@pytest.fixture
def common(platform: Platform) -> dict[str, str]:
    """Variables of all processes of a short run against the service."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    _, host, service = platform.url.replace("//", "").split(":")
    return {
        "HOST": host, "PORT": service, "COORDINATOR_PORT": str(port), "SECONDS": "20", "SCALE": "0.2",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_workers_share_the_schedule_and_the_coordinator_merges_their_results(
    image: Path, common: Mapping[str, str]
) -> None:
    processes, outputs = ended(image, common)
    assert outputs[0][0], [errors for _, errors in outputs]
    report = json.loads(outputs[0][0])
    # Orders need a balance, which only an administrator grants; a slow machine refuses what it cannot serve.
    assert set(report["total"]["errors"]) <= {"HTTP 402", "HTTP 503", "dropped"}, report["total"]
    # 100 to 1,000 users at a scale of 0.2 for 20 s: 20 s of 2 to 20 requests/s, about 300 in all.
    assert 200 < sum(each["arrivals"] for each in report["windows"]) < 400
    assert report["workers"] == WORKERS
    assert 0 < report["total"]["p50"] <= report["total"]["p99"]
    if not report["invalid"]:
        missed = [each for each in report["findings"] if not each["holds"]]
        assert processes[0].returncode == (1 if missed else 0)
    assert [each.returncode for each in processes[1:]] == [0] * WORKERS, outputs


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_run_whose_accounts_are_refused_is_invalid_and_names_the_reason(
    image: Path, common: Mapping[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "accounts"
    unknown = [
        {"email": f"unknown-{number}@example.com", "password": "an unknown password"} for number in (1, 2)
    ]
    file.write_text(json.dumps(unknown))
    processes, outputs = ended(image, {**common, "ACCOUNTS_FILE": str(file)})
    assert processes[0].returncode == 3
    assert outputs[0][0] == ""
    assert "the accounts are prepared: worker " in outputs[0][1]
    assert "POST /v1/sessions returned 401" in outputs[0][1]
    assert [each.returncode for each in processes[1:]] == [3] * WORKERS
