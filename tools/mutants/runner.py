"""Run tests in a copy of the repository, each run in a process forked from this one.

Forking avoids the start of an interpreter and the import of third-party packages, which take longer than the
tests of most modules. The project's own modules are imported in the forked process only.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NoReturn

import psutil
import pytest

from tools.mutants.areas import ROOT, marker_expression
from tools.mutants.conditions import Mutant

COPIED: Final = (
    "app",
    "infra",
    "loadtest",
    "policies",
    "rehearsal",
    "stacks",
    "tests",
    "tools",
    "Makefile",
    "Pulumi.yaml",
    "pyproject.toml",
)
_PLUGINS: Final = ("anyio.pytest_plugin", "pytest_timeout", "xdist.plugin", "_hypothesis_pytestplugin")
_TICK_SECONDS: Final = 0.05
_SUSPENDED_SECONDS: Final = 3.0  # a longer tick means that this process was stopped
_MAX_ATTEMPTS: Final = 3
# Limits for one test and for the collection: a constant for noise, and a multiple of the measured time.
_LIMIT_SECONDS: Final = 10.0
_LIMIT_FACTOR: Final = 5.0
_UNMEASURED_SECONDS: Final = 120.0
_PASSED, _FAILED, _INTERRUPTED, _NOTHING = 0, 1, 2, 5  # exit codes of pytest
_SET_CHILD_SUBREAPER: Final = 36


class TestRunError(Exception):
    """The tests could not run: pytest reported a usage error or an internal error."""

    __test__ = False


@dataclass(slots=True)
class TestRun:
    """Outcome of one run.

    `failed` is the first test that failed or exceeded its time limit; None if none did. `collection` and
    `durations` are in seconds; `modules` are the imported modules that are not the project's.
    """

    __test__ = False

    failed: str | None = None
    timed_out: bool = False
    collection: float = 0.0
    durations: dict[str, float] = field(default_factory=dict)
    modules: list[str] = field(default_factory=list)


class Runner:
    """Runs tests in a temporary copy of the repository.

    A context manager: on exit it removes the copy and kills the processes that tests left.
    """

    def __init__(self, root: Path = ROOT, copied: Sequence[str] = COPIED) -> None:
        self._root = root
        self._copied = copied
        self._markers = marker_expression()
        self._changes = 0
        self._temporary = tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True)
        self._folder = Path(self._temporary.name).resolve()
        self.copy = self._folder / "copy"

    def __enter__(self) -> Runner:
        _adopt_orphans(True)
        self.copy.mkdir()
        (self._folder / "tmp").mkdir()
        for name in self._copied:
            source = self._root / name
            # Bytecode is copied too, with the modification times that make it valid.
            if source.is_dir():
                shutil.copytree(source, self.copy / name)
            elif source.exists():
                shutil.copy2(source, self.copy / name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _adopt_orphans(False)
        self._temporary.cleanup()

    def preload(self, modules: Collection[str]) -> None:
        """Import modules in this process, so that forked processes have them."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in modules:
                if name not in sys.modules:
                    with contextlib.suppress(Exception):
                        importlib.import_module(name)
        gc.freeze()

    def collect(self, tests: Sequence[str]) -> TestRun:
        """Collect tests without running them: their imports, and whether they can be collected."""
        return self._repeated([*tests, "--collect-only"], {}, _UNMEASURED_SECONDS)

    def run(
        self,
        tests: Sequence[str],
        *,
        mutant: Mutant | None = None,
        durations: Mapping[str, float] | None = None,
        collection: float | None = None,
    ) -> TestRun:
        """Run tests until the first failure, with a mutant if one is given.

        `durations` are the measured seconds of each test and `collection` those until the first test. A test
        that takes much longer counts as failed. Raises TestRunError if the tests cannot run.
        """
        limit = _UNMEASURED_SECONDS if collection is None else _limit(collection)
        with self._mutated(mutant):
            return self._repeated(tests, durations or {}, limit)

    @contextlib.contextmanager
    def _mutated(self, mutant: Mutant | None) -> Iterator[None]:
        if mutant is None:
            yield
            return
        target = self.copy / mutant.path
        source, modified = target.read_text("utf-8"), target.stat().st_mtime
        self._changes += 1
        target.write_text(mutant.apply(source), "utf-8")
        # Bytecode is valid by modification second and size: each mutant has its own second.
        os.utime(target, (modified + self._changes, modified + self._changes))
        try:
            yield
        finally:
            target.write_text(source, "utf-8")
            os.utime(target, (modified, modified))

    def _repeated(self, tests: Sequence[str], durations: Mapping[str, float], limit: float) -> TestRun:
        for _ in range(_MAX_ATTEMPTS):
            run, suspended = self._run(tests, durations, limit)
            # A process that was stopped in between may exceed the deadlines inside tests.
            if run.failed is None or not suspended:
                break
        return run

    def _run(
        self, tests: Sequence[str], durations: Mapping[str, float], limit: float
    ) -> tuple[TestRun, bool]:
        before = {process.pid for process in psutil.Process().children(recursive=True)}
        reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            self._forked(tests, writer)
        os.close(writer)
        try:
            return _Watch(reader, pid, durations, limit).until_end(self._folder / "output.txt")
        finally:
            os.close(reader)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            _end([item for item in psutil.Process().children(recursive=True) if item.pid not in before])

    def _forked(self, tests: Sequence[str], writer: int) -> NoReturn:
        """Run pytest in the forked process and end it."""
        status = 3
        try:
            os.setsid()
            os.chdir(self.copy)
            _redirect(self._folder / "output.txt")
            os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
            os.environ |= {
                "PYTHONPATH": str(self.copy),
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "TMPDIR": str(self._folder / "tmp"),
            }
            tempfile.tempdir = None
            sys.dont_write_bytecode = False
            sys.path[:] = [str(self.copy), *(path for path in sys.path if path not in ("", str(self._root)))]
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(
                    number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler
                )
            options = ["-x", "-q", "--tb=short", "-p", "no:cacheprovider", "-o", "timeout=0"]
            # pytest warns that it cannot rewrite assertions in preloaded plugins, which have none.
            options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
            plugins = [option for plugin in _PLUGINS for option in ("-p", plugin)]
            place = f"--basetemp={self._folder / 'pytest'}"
            arguments = [*options, *plugins, place, "-m", self._markers, *tests]
            status = int(pytest.main(arguments, plugins=[_Reporter(writer, self.copy)]))
        except BaseException:
            traceback.print_exc()
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


class _Reporter:
    """A pytest plugin in the forked process: sends the start of each test and failures as JSON lines."""

    def __init__(self, pipe: int, copy: Path) -> None:
        self._pipe = pipe
        self._copy = str(copy)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._send("started", nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._send("finished", nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._send("failed", report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._send("failed", report.nodeid)

    def pytest_sessionfinish(self) -> None:
        files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
        self._send("modules", [name for name, file in files.items() if file and self._copy not in file])

    def _send(self, kind: str, value: Any) -> None:
        data = memoryview(json.dumps([kind, value]).encode() + b"\n")
        while data:
            data = data[os.write(self._pipe, data) :]


class _Watch:
    """Reads the reports of a forked process and enforces the time limits."""

    def __init__(self, pipe: int, pid: int, durations: Mapping[str, float], limit: float) -> None:
        self._pipe = pipe
        self._pid = pid
        self._durations = durations
        self._limit = limit
        self._run = TestRun()
        self._test = ""
        self._idle = 0.0
        self._started = False
        self._suspended = False
        self._buffer = b""

    def until_end(self, output: Path) -> tuple[TestRun, bool]:
        """Return the run, and whether this process was stopped meanwhile. Raises TestRunError."""
        last = time.monotonic()
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        while True:
            ready = poll.poll(_TICK_SECONDS * 1000)
            now = time.monotonic()
            if now - last > _SUSPENDED_SECONDS:
                self._suspended = True
            else:
                self._idle += now - last
            last = now
            ended, status = os.waitpid(self._pid, os.WNOHANG)
            while ready and (data := os.read(self._pipe, 1 << 16)):
                self._read(data)
                ready = poll.poll(0)
            if ended:
                self._evaluate(os.waitstatus_to_exitcode(status), output)
                return self._run, self._suspended
            if self._idle > self._limit:
                self._run.timed_out = True
                self._run.failed = self._run.failed or self._test or "collection"
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
                return self._run, self._suspended

    def _read(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for kind, value in map(json.loads, lines):
            if kind == "started":
                if not self._started:
                    self._run.collection, self._started = self._idle, True
                self._test, self._limit = value, _limit(self._durations.get(value))
            elif kind == "finished":
                self._run.durations[value] = self._idle
                self._limit = _UNMEASURED_SECONDS  # fixtures of the session end after the last test
            elif kind == "failed":
                self._run.failed = self._run.failed or value
            else:
                self._run.modules = value
            self._idle = 0.0

    def _evaluate(self, code: int, output: Path) -> None:
        if code in (_FAILED, _INTERRUPTED) or code < 0:
            self._run.failed = self._run.failed or self._test or "collection"
        elif code not in (_PASSED, _NOTHING):
            text = output.read_text(errors="replace")[-2_000:]
            raise TestRunError(f"pytest ended with exit code {code}:\n{text}")


def _limit(seconds: float | None) -> float:
    return _UNMEASURED_SECONDS if seconds is None else _LIMIT_SECONDS + _LIMIT_FACTOR * seconds


def _redirect(output: Path) -> None:
    """Redirect standard output and error of this process to a file; standard input is empty."""
    target = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    empty = os.open(os.devnull, os.O_RDONLY)
    for number, source in ((0, empty), (1, target), (2, target)):
        os.dup2(source, number)


def _adopt_orphans(enabled: bool) -> None:
    """On Linux, become the parent of processes whose own parent ends, so that they can be found."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, int(enabled), 0, 0, 0)


def _end(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=5)
