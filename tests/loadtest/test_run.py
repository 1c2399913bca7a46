"""Runs against the real service: results, Ctrl-C, refusals, and Locust's own runner."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.platform import NotLoopbackError, require_loopback
from rehearsal.report.page import data_of
from tests.support.backends import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
# Locust replaces sockets and threads of its process, so it has its own process here too.
RUN = """
import locust, json, sys
from pathlib import Path
from loadtest.__main__ import exit_code, parser, settings_of
from loadtest.live_view import line
from loadtest.platform import Platform
from loadtest.report import to_html, to_json
from loadtest.run import InterruptedRunError, execute
from rehearsal.scenarios.catalog import load
catalog = load()
options = parser(catalog).parse_args(["run", *sys.argv[2:]])
options.seed = 7
platform = Platform(sys.argv[1], Path("unused"), None, Path("."), "test")
print("started", flush=True)
try:
    tick = lambda run: print("tick", line(run), file=sys.stderr, flush=True)
    run = execute(settings_of(options, catalog), platform, tick)
except InterruptedRunError:
    sys.exit(130)
print(json.dumps({"result": to_json(run), "html": to_html(run), "code": exit_code(run)}))
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", RUN, *arguments]


@pytest.fixture(scope="module")
def measured(platform: Platform) -> dict[str, object]:
    done = subprocess.run(
        command(platform.url, "low", "--seconds", "10", "--accounts", "3", "--mix", "generation"),
        cwd=ROOT, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout.partition("\n")[2])
    return found


def test_a_scenario_is_sent_as_scheduled_and_served(measured: dict[str, object]) -> None:
    result = measured["result"]
    assert isinstance(result, dict)
    assert result["total"]["errors"] == {}
    # 100 to 1,000 users at a scale of 0.2: 2 to 20 requests/s.
    assert 60 < sum(each["arrivals"] for each in result["seconds"]) < 240
    assert set(result["endpoints"]) <= {
        "POST /v1/contents", "GET /v1/contents", "GET /v1/contents/{content_id}",
        "GET /v1/contents/{content_id}/events", "GET /v1/contents/{content_id}/image",
        "PUT /v1/contents/{content_id}/publication",
    }  # fmt: skip
    assert 0 < result["total"]["p50"] <= result["total"]["p95"] <= result["total"]["p99"]
    assert result["commit"]
    assert "cores" in result["machine"]


def test_the_scenario_medium_is_served_in_reduced_form(platform: Platform) -> None:
    # Not its own mix: this platform grants no credit for orders.
    arguments = ["--mix", "authentication", "--seconds", "12", "--scale", "0.02", "--accounts", "5"]
    done = subprocess.run(
        command(platform.url, "medium", *arguments),
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.partition("\n")[2])["result"]
    assert (result["scenario"], result["mix"]) == ("medium", "authentication")
    assert result["total"]["errors"] == {}
    # 1,000 to 10,000 users at a scale of 0.02: 2 to 20 requests/s.
    assert 60 < sum(each["arrivals"] for each in result["seconds"]) < 280
    assert "POST /v1/sessions" in result["endpoints"]


def test_the_report_is_one_file_without_a_network(measured: dict[str, object]) -> None:
    html = str(measured["html"])
    assert "Response time from the intended start" not in html  # compressed, with the plots
    assert "TGT1" in html
    assert "src=" not in html
    assert 'http-equiv="Content-Security-Policy" content="default-src \'none\'' in html


def test_ctrl_c_ends_a_run(platform: Platform) -> None:
    process = subprocess.Popen(
        command(platform.url, "low", "--seconds", "60", "--accounts", "1", "--mix", "analytics"),
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("tick"):
                break
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    finally:
        process.kill()
        process.communicate()


# All refusals in one process: importing Locust takes most of the time.
REFUSED = """
import json, sys
from loadtest.__main__ import main
for arguments in json.loads(sys.argv[1]):
    print(main(arguments), file=sys.stderr)
"""
REFUSALS = {
    "bring it up with `make up`": ["run", "low", "--stack", "nowhere"],
    "unknown scenario 'huge'; choose one of low, medium, high, peak, stress": ["run", "huge"],
    "unknown mix 'none'": ["run", "low", "--mix", "none"],
    "--scale 3 is not a factor between 0 and 1": ["run", "low", "--scale", "3"],
    "--seconds 9999 is not between 10 and 600": ["run", "low", "--seconds", "9999"],
    "capacity cannot start": ["capacity", "--stack", "nowhere"],
    "--windows 0 is not between 1 and 200": ["compare", "--base", "main", "--windows", "0"],
    "--rate nan is not between 1 and 10000": ["compare", "--base", "main", "--rate", "nan"],
    "--seconds 0.5 is not between 1 and 600": ["capacity", "--seconds", "0.5"],
    "--html tests is a folder; name a file": ["run", "low", "--html", "tests"],
    "--json absent/low.json is in a folder that does not exist": ["run", "low", "--json", "absent/low.json"],
}


def test_a_run_that_cannot_start_is_invalid() -> None:
    done = subprocess.run(
        [sys.executable, "-c", REFUSED, json.dumps(list(REFUSALS.values()))],
        cwd=ROOT, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    lines = done.stderr.splitlines()
    assert lines[1::2] == ["3"] * len(REFUSALS), done.stderr
    for message, line in zip(REFUSALS, lines[::2], strict=True):
        assert message.replace("capacity cannot start", "`make up`") in line


def test_invalid_arguments_have_the_exit_code_of_an_invalid_run() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loadtest", "compare", "--windows", "many"],
        cwd=ROOT, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    # 2, the exit code of argparse, would be a regression.
    assert done.returncode == 3
    assert "error: argument --windows: invalid int value: 'many'" in done.stderr


# The measurement itself is replaced.
MEASURED = """
import sys
from pathlib import Path
from loadtest import __main__ as module
from loadtest.capacity import Capacity, Step
from loadtest.platform import Platform
from tests.loadtest.factories import run
module.find = lambda stack: Platform("http://127.0.0.1:1", Path(sys.argv[2]), None, Path("."), stack)
module.find_capacity = lambda *arguments: Capacity([Step(50.0, run(10))], [])
sys.exit(module.main(["capacity", "--json", "-", "--html", sys.argv[1]]))
"""


def test_standard_output_has_only_the_json_if_it_goes_there(tmp_path: Path) -> None:
    html = tmp_path / "capacity.html"
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(html), str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rate"] == 50
    assert "capacity: 50 requests/s (the highest rate of arrivals at which" in done.stderr
    assert data_of(html.read_text())["seconds"] == [50]


@pytest.mark.parametrize("address", ["https://192.0.2.1", "http://10.0.0.1:8443"])
def test_no_load_leaves_this_machine(address: str) -> None:
    with pytest.raises(NotLoopbackError, match="load tests run only against loopback addresses, such as"):
        require_loopback(address)


def test_loopback_addresses_are_accepted() -> None:
    require_loopback("https://localhost:8443")
    require_loopback("http://127.0.0.1:80")
