"""Runner of mutation testing: a copy, one forked process per run, and nothing left afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.backends import wait_for
from tools.mutants.areas import ROOT

SOURCE = "def is_large(x):\n    return x > 9\n"
TESTS = """\
import subprocess
from sized import is_large

def test_boundary():
    assert not is_large(9)

def test_large():
    assert is_large(10)

def test_search():
    x = 0
    while not is_large(x):
        x += 1

def test_server():
    subprocess.Popen(["sleep", "86399"], start_new_session=True)
"""
# A process of its own: the runner forks, and the process that runs this test has threads.
SCRIPT = """\
import dataclasses, json, sys
from pathlib import Path
from tools.mutants import runner
from tools.mutants.conditions import mutants_of

root = Path(sys.argv[1])
runner._LIMIT_SECONDS = 1.0
mutants = {item.changed: item for item in mutants_of("sized.py", (root / "sized.py").read_text())}
with runner.Runner(root, ("sized.py", "test_sized.py", "pyproject.toml")) as tests:
    def run(changed=None, only="test_sized.py", **limits):
        found = tests.run([only], mutant=mutants.get(changed), **limits)
        print(json.dumps(dataclasses.asdict(found) | {"modules": None}), flush=True)
        return found

"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "sized.py").write_text(SOURCE)
    (root / "test_sized.py").write_text(TESTS)
    (root / "pyproject.toml").write_text("[tool.pytest.ini_options]\ntimeout = 5\n")
    (tmp_path / "tmp").mkdir()
    return root


def start(project: Path, steps: str) -> subprocess.Popen[str]:
    environment = os.environ | {"TMPDIR": str(project.parent / "tmp"), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT + textwrap.indent(textwrap.dedent(steps), "    "), str(project)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def runs(project: Path, steps: str) -> list[dict[str, Any]]:
    """Execute `steps` with a runner of the project; return the runs, after a check of what remains."""
    with start(project, steps) as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    left_nothing(project)
    return [json.loads(line) for line in output.splitlines()]


def left_nothing(project: Path) -> None:
    assert (project / "sized.py").read_text() == SOURCE
    assert not list((project.parent / "tmp").iterdir())
    assert not servers()


def servers() -> list[psutil.Process]:
    return [item for item in psutil.process_iter(["cmdline"]) if item.info["cmdline"] == ["sleep", "86399"]]


def test_first_failing_test_is_reported_and_every_mutant_is_compiled(project: Path) -> None:
    # All changes have the same size and happen within a second: stale bytecode would give equal outcomes.
    steps = """
    run()
    run("(x >= 9)")
    run("(x <= 9)", "test_sized.py::test_large")
    run()
    """
    found = [(item["failed"], item["timed_out"]) for item in runs(project, steps)]
    assert found == [
        (None, False),
        ("test_sized.py::test_boundary", False),
        ("test_sized.py::test_large", False),
        (None, False),
    ]


def test_runs_report_durations_and_third_party_modules(project: Path) -> None:
    steps = """
    found = run()
    assert "_pytest" in found.modules and "sized" not in found.modules
    tests.preload(found.modules)
    run()
    """
    for found in runs(project, steps):
        tests = {f"test_sized.py::test_{name}" for name in ("boundary", "large", "search", "server")}
        assert found["durations"].keys() == tests
        assert found["collection"] > 0


def test_endless_test_counts_as_failed_after_a_multiple_of_its_time(project: Path) -> None:
    steps = """
    search = "test_sized.py::test_search"
    run("(x <= 9)", search)
    run("(x > 10)", search, durations={search: 0.01})
    mutants["endless"] = dataclasses.replace(mutants["(x > 10)"], changed="not x == x")
    run("endless", search, durations={search: 0.01}, collection=1.0)
    """
    passed = {"failed": None, "timed_out": False}
    found = [{name: item[name] for name in passed} for item in runs(project, steps)]
    assert found == [passed, passed, {"failed": "test_sized.py::test_search", "timed_out": True}]


def test_tests_that_cannot_run_are_an_error(project: Path) -> None:
    steps = """
    try:
        run(only="test_sized.py::test_absent")
    except runner.TestRunError as error:
        print(json.dumps({"error": str(error)}))
    """
    assert "test_absent" in runs(project, steps)[0]["error"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_tests_and_removes_the_copy(project: Path, number: signal.Signals) -> None:
    steps = """
    import signal
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    (root / "test_sized.py").write_text("")
    tests.run(["test_sized.py"], mutant=dataclasses.replace(mutants["(x >= 9)"], changed="not x == x"))
    """
    steps = steps.replace('(root / "test_sized.py").write_text("")', "print(1, flush=True)")
    (project / "test_sized.py").write_text("from sized import is_large\n" + TESTS.split("\n\n")[3] + "\n")
    with start(project, steps) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        wait_for("tests started", lambda: bool(psutil.Process(process.pid).children()))
        process.send_signal(number)
        assert process.wait(30) == 128 + number
    left_nothing(project)
