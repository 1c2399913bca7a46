"""The process of a policy pack, which a forked process can use as well."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from rehearsal.policy.pack import PolicyPack
from rehearsal.policy.pack_files import PolicyPackError
from rehearsal.policy.pack_process import PackContext, PackProcess
from tests.support.processes import fork

CONTEXT = PackContext("project", "dev", dry_run=True, config={})


def pack(folder: Path, source: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "PulumiPolicy.yaml").write_text("runtime: python\nversion: 1.2.3\n")
    (folder / "__main__.py").write_text(source)
    return folder


SMALL = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy
any = ResourceValidationPolicy("any", "Any.", lambda args, report: None, EnforcementLevel.ADVISORY)
PolicyPack("small", [any])
"""


def test_end_ends_the_process(tmp_path: Path) -> None:
    process = PackProcess.start(pack(tmp_path, SMALL), CONTEXT)
    assert process.open
    process.end()
    assert not process.open
    assert process.process.returncode is not None
    process.end()  # a second time changes nothing
    process.release()


def test_a_folder_without_a_pack_starts_nothing(tmp_path: Path) -> None:
    with pytest.raises(PolicyPackError, match=r"has no PulumiPolicy\.yaml"):
        PackProcess.start(tmp_path, CONTEXT)


def test_exit_code_is_that_of_a_pack_that_ended_by_itself(tmp_path: Path) -> None:
    process = PackProcess.start(pack(tmp_path, "raise SystemExit(7)"), CONTEXT)
    process.process.wait(timeout=60)
    assert process.exit_code() == 7
    process.end()
    process.release()


def test_closing_the_pack_in_a_forked_process_ends_it_after_the_parent_released_it(tmp_path: Path) -> None:
    process = PackProcess.start(pack(tmp_path, SMALL), CONTEXT)

    child = fork()
    if child == 0:
        code = 1
        try:
            with PolicyPack.of(process, CONTEXT) as running:
                code = 0 if running.info.name == "small" else 2
        finally:
            os._exit(code)
    process.release()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert process.process.wait(timeout=30) is not None
    assert not psutil.pid_exists(process.process.pid)
