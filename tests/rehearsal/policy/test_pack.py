"""The pack's process: start, failures, and its end when this process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.proto import analyzer_pb2

from rehearsal.policy.pack import PolicyPack
from rehearsal.policy.pack_files import PolicyPackError

PACK = Path(__file__).parents[3] / "policies"
PREAMBLE = """
from pulumi_policy import *
def check(args, report): {body}
policy = ResourceValidationPolicy("one", "A policy.", check, EnforcementLevel.MANDATORY,
                                  PolicyConfigSchema({{"limit": {{"type": "integer", "minimum": 1}}}}))
"""
SERVE = '\nPolicyPack("test", [policy])\n'


@pytest.fixture
def pack_of(tmp_path: Path) -> Iterator[Callable[..., PolicyPack]]:
    """Start a pack from source; every started pack is closed at the end."""
    started: list[PolicyPack] = []

    def start(source: str, **options: Any) -> PolicyPack:
        (tmp_path / "PulumiPolicy.yaml").write_text("runtime: python\nversion: 4.5.6\n")
        (tmp_path / "__main__.py").write_text(source)
        pack = PolicyPack.start(tmp_path, project="p", stack="s", dry_run=True, **options)
        started.append(pack)
        return pack

    yield start
    for pack in started:
        pack.close()


def request(**props: Any) -> analyzer_pb2.AnalyzeRequest:
    built = analyzer_pb2.AnalyzeRequest(urn="urn:pulumi:s::p::a:b:C::x", type="a:b:C", name="x")
    built.properties.update(props)
    return built


def test_start_returns_before_the_pack_is_up_and_the_first_question_waits() -> None:
    began = time.monotonic()
    with PolicyPack.start(PACK, project="kingdom", stack="dev", dry_run=True) as pack:
        assert time.monotonic() - began < 0.2
        assert pack.info.name == "kingdom"
        assert len(pack.info.policies) > 20


def test_a_finding_names_resource_policy_level_and_the_version_of_the_manifest(
    pack_of: Callable[..., PolicyPack],
) -> None:
    [found] = pack_of(PREAMBLE.format(body='report("no")') + SERVE).analyze(request(a=1))
    assert (found.policyName, found.policyPackVersion) == ("one", "4.5.6")
    assert found.urn == "urn:pulumi:s::p::a:b:C::x"
    assert found.enforcementLevel == analyzer_pb2.MANDATORY


def test_the_pack_sees_project_stack_dry_run_and_stack_configuration(
    pack_of: Callable[..., PolicyPack],
) -> None:
    body = (
        "import pulumi; key = pulumi.Config('k').get('key'); "
        "report(f'{pulumi.get_project()} {pulumi.get_stack()} {pulumi.runtime.is_dry_run()} {key}')"
    )
    pack = pack_of(PREAMBLE.format(body=body) + SERVE, stack_config={"k:key": "value"})
    assert pack.analyze(request())[0].message.endswith("p s True value")


def test_configuration_reaches_the_policy(pack_of: Callable[..., PolicyPack]) -> None:
    pack = pack_of(
        PREAMBLE.format(body="report(str(args.get_config()))") + SERVE,
        config={"one": {"enforcementLevel": "advisory", "limit": 7}},
    )
    [found] = pack.analyze(request())
    assert "{'limit': 7" in found.message
    assert found.enforcementLevel == analyzer_pb2.ADVISORY


def test_every_problem_of_the_configuration_is_listed_before_any_evaluation(
    pack_of: Callable[..., PolicyPack],
) -> None:
    pack = pack_of(
        PREAMBLE.format(body="raise SystemExit") + SERVE,
        config={"onne": "advisory", "all": "sometimes", "one": {"limit": "7", "limits": 1}},
    )
    with pytest.raises(PolicyPackError) as caught:
        pack.analyze(request())
    text = str(caught.value)
    for part in (
        "onne: no such policy; did you mean 'one'?",
        "all: 'sometimes' is not a level",
        "one: limit must be of type integer, got a string ('7')",
        "one: no setting 'limits'; did you mean 'limit'?",
        "Nothing was evaluated",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("raise ValueError('broken on purpose')", ("ValueError: broken on purpose", "__main__.py:1")),
        ("def oops(:", ("SyntaxError", "__main__.py:1")),
        ("import no_such_module", ("ModuleNotFoundError", "no_such_module", "__main__.py:1")),
        ("raise SystemExit(3)", ("exit code 3",)),
        ("print('hello')\nimport time\ntime.sleep(60)", ("'hello'", "prints to stdout")),
        ("", ("exit code 0",)),
    ],
)
def test_a_pack_that_does_not_start_is_reported_with_reason_and_position(
    pack_of: Callable[..., PolicyPack], source: str, parts: tuple[str, ...]
) -> None:
    with pytest.raises(PolicyPackError) as caught:
        _ = pack_of(source).info
    for part in parts:
        assert part in str(caught.value)
    assert "Traceback" not in str(caught.value)


@pytest.mark.slow
def test_a_pack_that_hangs_is_given_up(pack_of: Callable[..., PolicyPack]) -> None:
    pack = pack_of("import threading; threading.Event().wait()", start_timeout=3)
    with pytest.raises(PolicyPackError, match=r"printed no port in \d+ s, and .*: it hangs before"):
        _ = pack.info
    assert ended(pack.pid)


def test_a_policy_that_raises_names_its_place_and_leaves_the_pack_usable(
    pack_of: Callable[..., PolicyPack],
) -> None:
    pack = pack_of(PREAMBLE.format(body='args.props["a"] / 0') + SERVE)
    for _ in range(2):
        with pytest.raises(PolicyPackError) as caught:
            pack.analyze(request(a=1))
        assert "division by zero" in str(caught.value)
        assert "__main__.py:3" in str(caught.value)


def test_a_pack_that_ends_in_the_middle_is_named(pack_of: Callable[..., PolicyPack]) -> None:
    pack = pack_of(PREAMBLE.format(body="import os; os._exit(9)") + SERVE)
    with pytest.raises(PolicyPackError, match="ended while it evaluated"):
        pack.analyze(request())


def test_a_pack_that_prints_much_does_not_block(pack_of: Callable[..., PolicyPack]) -> None:
    pack = pack_of(PREAMBLE.format(body='print("x" * 300_000)') + SERVE)
    assert pack.analyze(request()) == []


def test_the_process_ends_when_we_are_killed(tmp_path: Path) -> None:
    (tmp_path / "PulumiPolicy.yaml").write_text("runtime: python")
    (tmp_path / "__main__.py").write_text(PREAMBLE.format(body="pass") + SERVE)
    program = (
        "import sys; from pathlib import Path; from rehearsal.policy.pack import PolicyPack\n"
        f"pack = PolicyPack.start(Path({str(tmp_path)!r}), project='p', stack='s', dry_run=True)\n"
        "pack.info; print(pack.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        child = int(owner.stdout.readline())
        assert not ended(child, 0)
        owner.send_signal(signal.SIGKILL)
    assert ended(child)


def test_closing_twice_and_before_the_start_is_fine() -> None:
    pack = PolicyPack.start(PACK, project="kingdom", stack="dev", dry_run=True)
    pack.close()
    pack.close()
    assert ended(pack.pid)
    with pytest.raises(PolicyPackError, match="closed already"):
        _ = pack.info


def ended(pid: int, within: float = 10) -> bool:
    """Return whether the process exits within a number of seconds."""
    deadline = time.monotonic() + within
    pause = 0.01
    while True:
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return True
        except ProcessLookupError:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
