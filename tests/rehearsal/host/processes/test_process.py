"""Processes of an earlier supervisor are adopted and can be stopped at any time."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from rehearsal.host.paths import Home
from rehearsal.host.processes.process import Processes, ProcessSpec
from tests.support.backends import until

pytestmark = pytest.mark.anyio


def spec_in(folder: Path) -> ProcessSpec:
    return ProcessSpec(
        name="pod/sleeper",
        kind="pod",
        argv=(sys.executable, "-c", "import signal; signal.pause()"),
        cwd=folder,
        grace=2.0,
    )


async def test_an_adopted_process_is_stopped_before_its_keeper_has_begun(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.make()
    first = Processes(home, lambda: None)
    started = await first.ensure(spec_in(tmp_path))
    await until(lambda: started.pid is not None)
    assert started.pid is not None
    child = psutil.Process(started.pid)

    second = Processes(home, lambda: None)
    adopted = await second.ensure(spec_in(tmp_path))
    assert adopted.adopted
    await second.stop(adopted.spec.name)
    await until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 5)
    await first.stop_all()
