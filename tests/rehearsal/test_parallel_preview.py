"""Previews of several stacks in forked processes: each result is independent of the others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace

import pytest

from rehearsal.engine.events import Op, Step
from rehearsal.parallel_preview import Job, Outcome, Packs, _Counter, preview_all, worst
from rehearsal.policy.pack_process import PackContext, PackProcess
from rehearsal.pulumi.project import Project

PROGRAM = """
import pulumi, pulumi_random
settings = pulumi.Config("toys")
word = pulumi_random.RandomBytes("word", length=settings.require_int("length"))
pulumi.export("size", word.length)
"""


def project(root: Path, program: str = PROGRAM, **stacks: str) -> Project:
    """A project of its own in `root`: one program, a stack file for each of `stacks`."""
    (root / "program").mkdir(parents=True)
    (root / "program" / "__main__.py").write_text(textwrap.dedent(program))
    (root / "stacks").mkdir()
    (root / "Pulumi.yaml").write_text("name: toys\nruntime: python\nmain: program\nstackConfigDir: stacks\n")
    for name, config in stacks.items():
        (root / "stacks" / f"Pulumi.{name}.yaml").write_text(config)
    return Project.find(root)


def jobs(of: Project) -> list[Job]:
    return [Job(of, name, None) for name in of.stack_names()]


def by_stack(outcomes: list[Outcome]) -> dict[str, Outcome]:
    return {outcome.job.stack: outcome for outcome in outcomes}


def test_each_stack_is_planned_with_its_own_settings(tmp_path: Path) -> None:
    toys = project(tmp_path, one="config: {toys:length: 1}", two="config: {toys:length: 2}")
    outcomes = preview_all(jobs(toys))
    assert [outcome.job.stack for outcome in outcomes] == ["one", "two"]
    results = [outcome.result for outcome in outcomes]
    assert [result and result.outputs for result in results] == [{"size": 1}, {"size": 2}]
    assert all(result and result.planned and result.counts[Op.CREATE] == 2 for result in results)
    assert worst(outcomes) == 0
    assert not (tmp_path / ".rehearsal" / "one").exists()


def test_one_stacks_failure_hides_no_other(tmp_path: Path) -> None:
    toys = project(tmp_path, good="config: {toys:length: 1}", poor="config: {}", ugly="config: [")
    found = by_stack(preview_all(jobs(toys)))
    assert found["good"].exit_code == 0
    assert "toys:length" in str(found["poor"].error)
    assert found["poor"].exit_code == 2  # wrong settings
    assert "Pulumi.ugly.yaml:2" in str(found["ugly"].error)
    assert found["ugly"].exit_code == 2
    assert worst(list(found.values())) == 2


def test_a_job_carried_out_leaves_a_state_that_the_next_plans_against(tmp_path: Path) -> None:
    toys = project(tmp_path / "here", one="config: {toys:length: 1}")
    state = tmp_path / "elsewhere"
    (first,) = preview_all([Job(toys, "one", None, state=state, apply=True)])
    assert first.result
    assert first.result.ok
    assert not first.result.planned
    (second,) = preview_all([Job(toys, "one", None, state=state)])
    assert second.result
    assert not second.result.changed
    assert not (tmp_path / "here" / ".rehearsal").exists()


def test_another_checkouts_program_is_its_own(tmp_path: Path) -> None:
    helper = "import pulumi\nfrom program.words import WORD\npulumi.export('word', WORD)\n"
    checkouts = [project(tmp_path / name, helper, one="config: {}") for name in ("head", "base")]
    for checkout in checkouts:
        (checkout.main / "words.py").write_text(f"WORD = {checkout.root.name!r}\n")
        (checkout.main / "__init__.py").touch()
    outcomes = preview_all([Job(checkout, "one", None) for checkout in checkouts])
    assert [outcome.result and outcome.result.outputs for outcome in outcomes] == [
        {"word": "head"},
        {"word": "base"},
    ]


def test_a_crashed_child_is_distinguished_from_a_failed_one(tmp_path: Path) -> None:
    crash = "import os, subprocess\nsubprocess.run(['kill', '-KILL', str(os.getpid())])"
    toys = project(tmp_path, crash, one="config: {}")
    (outcome,) = preview_all(jobs(toys))
    assert "was ended by SIGKILL" in str(outcome.error)
    assert outcome.exit_code == 1


def test_progress_counts_every_step_of_each_stack(tmp_path: Path) -> None:
    ended: Counter[str] = Counter()

    def progress(job: Job, steps: int) -> None:
        ended[job.stack] += steps

    toys = project(tmp_path, one="config: {toys:length: 1}", two="config: {toys:length: 2}")
    found = by_stack(preview_all(jobs(toys), progress=progress))
    steps = {stack: len(outcome.result.steps) if outcome.result else 0 for stack, outcome in found.items()}
    assert ended == steps
    assert min(steps.values()) >= 2


def test_steps_reported_after_the_end_are_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rehearsal.parallel_preview._PROGRESS_SECONDS", -1.0)
    ours, theirs = Pipe(duplex=False)
    with ours, theirs:
        counter = _Counter(theirs)
        step = Step(Op.CREATE, "urn:pulumi:s::p::t:t:T::a", "t:t:T", True)
        counter.done(step)
        counter.failed(step, "it exists")
        counter.close()
        counter.done(step)  # by a thread that the failed operation did not end
        theirs.send("outcome")
        assert [ours.recv() for _ in range(4)] == [1, 1, 0, "outcome"]


def test_progress_is_reported_while_no_step_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rehearsal.parallel_preview._SILENT_SECONDS", 0.01)
    release = tmp_path / "release"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(release)!r}).exists(): time.sleep(0.01)"

    def progress(job: Job, steps: int) -> None:
        if not steps:
            release.touch()

    outcomes = preview_all(jobs(project(tmp_path, wait, one="config: {}")), progress=progress)
    assert [outcome.exit_code for outcome in outcomes] == [0]


def test_fewer_side_by_side_than_stacks_still_does_all(tmp_path: Path) -> None:
    toys = project(tmp_path, **{f"s{number}": "config: {toys:length: 1}" for number in range(3)})
    assert [outcome.exit_code for outcome in preview_all(jobs(toys), parallel=1)] == [0, 0, 0]


def marking_pack(tmp_path: Path) -> Path:
    """A pack whose process writes an empty file STACK-PID, and which has a finding on every resource."""
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text("runtime: python\nversion: 1.2.3\n")
    source = f"""
    import os, uuid
    from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy
    open({str(tmp_path)!r} + "/" + os.environ["PULUMI_STACK"] + "-" + str(os.getpid()), "w").close()
    check = lambda args, report: report("found in " + os.environ["PULUMI_STACK"])
    PolicyPack("one", [ResourceValidationPolicy("any", "Any.", check, EnforcementLevel.MANDATORY)])
    """
    (pack / "__main__.py").write_text(textwrap.dedent(source))
    return pack


def started(tmp_path: Path) -> list[tuple[str, int]]:
    """Stack and process id of each process of `marking_pack`. None of them runs any more."""
    found = [path.name.split("-") for path in sorted(tmp_path.glob("*-*"))]
    for _, pid in found:
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
    return [(stack, int(pid)) for stack, pid in found]


def test_each_job_uses_the_one_pack_started_for_it(tmp_path: Path) -> None:
    pack = marking_pack(tmp_path)
    toys = project(tmp_path / "toys", one="config: {toys:length: 1}", two="config: {toys:length: 2}")
    outcomes = preview_all([Job(toys, name, pack) for name in toys.stack_names()])
    assert [outcome.exit_code for outcome in outcomes] == [3, 3]
    for outcome in outcomes:
        assert outcome.result
        assert all(f"found in {outcome.job.stack}" in str(found) for found in outcome.result.mandatory)
    assert [stack for stack, _ in started(tmp_path)] == ["one", "two"]


def test_packs_started_early_are_used_by_later_jobs_once(tmp_path: Path) -> None:
    pack = marking_pack(tmp_path)
    toys = project(tmp_path / "toys", one="config: {toys:length: 1}", two="config: {toys:length: 2}")
    one, two = (Job(toys, name, pack) for name in toys.stack_names())
    with Packs() as packs:
        packs.start([one, two])
        packs.start([one, two])
        assert [outcome.exit_code for outcome in preview_all([Job(toys, "one", None)], packs=packs)] == [0]
        assert [outcome.exit_code for outcome in preview_all([one], packs=packs)] == [3]
        assert [outcome.exit_code for outcome in preview_all([one, two, two], packs=packs)] == [3, 3, 3]
    # The last call used one pack that was started before, and started two more.
    assert [stack for stack, _ in started(tmp_path)] == ["one", "one", "two", "two"]


def test_packs_start_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toys = project(tmp_path / "toys", one="config: {}", two="config: {}", three="config: {}")
    pack = marking_pack(tmp_path)
    now = [0.0]
    monkeypatch.setattr("rehearsal.parallel_preview.time", SimpleNamespace(monotonic=lambda: now[0]))
    begun: list[str] = []
    start = PackProcess.start

    def recorded(path: Path, context: PackContext) -> PackProcess:
        begun.append(context.stack)
        return start(path, context)

    monkeypatch.setattr(PackProcess, "start", recorded)
    with Packs() as packs:
        packs.start([Job(toys, name, pack) for name in ("one", "one", "two", "three")], parallel=2)
        packs.proceed()
        assert begun == ["one"]
        now[0] += 1.0
        packs.proceed()
        packs.proceed()
        assert begun == ["one", "two"]
        packs.finish()
        assert begun == ["one", "two", "three"]


COUNTED = PROGRAM + "open({0!r}, 'a').write('x')\n"
PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy, StackValidationPolicy

def check(args, report):
    report(f"{{args.props.get('length')}} bytes")

def whole(args, report):
    report(f"{{len(args.resources)}} resources")

def longer(args):
    return {{**args.props, "length": 7}} if "length" in args.props else None

PolicyPack({name!r}, [
    ResourceValidationPolicy("any", "Any.", check, EnforcementLevel.MANDATORY),
    StackValidationPolicy("sum", "Sum.", whole, EnforcementLevel.ADVISORY),
    ResourceValidationPolicy("fix", "Fix.", remediate=longer, enforcement_level=EnforcementLevel.{level}),
])
"""


def pack_at(folder: Path, source: str) -> Path:
    folder.mkdir()
    (folder / "PulumiPolicy.yaml").write_text("runtime: python\nversion: 1.2.3\n")
    (folder / "__main__.py").write_text(source)
    return folder


def evaluated(outcome: Outcome | None) -> tuple[str, list[str], str]:
    """The error, the findings and the pack of an outcome."""
    assert outcome is not None
    result = outcome.result
    return (
        str(outcome.error),
        [str(item) for item in result.violations] if result else [],
        (result.policy_pack if result else ""),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second", "runs"),
    [
        (PACK.format(name="one", level="DISABLED"), PACK.format(name="two", level="DISABLED"), 1),
        (PACK.format(name="one", level="REMEDIATE"), PACK.format(name="two", level="DISABLED"), 2),
        (PACK.format(name="one", level="DISABLED"), PACK.format(name="two", level="REMEDIATE"), 2),
        (PACK.format(name="one", level="DISABLED"), "raise SystemExit('no licence')", 2),
        ("raise SystemExit('no licence')", PACK.format(name="two", level="DISABLED"), 2),
        (PACK.format(name="one", level="DISABLED"), None, 1),
        (None, PACK.format(name="two", level="DISABLED"), 1),
    ],
    ids=["both", "first rewrites", "second rewrites", "second ends", "first ends", "no second", "no first"],
)
def test_a_plan_is_evaluated_by_a_second_pack_as_by_that_alone(
    tmp_path: Path, first: str | None, second: str | None, runs: int
) -> None:
    counted = tmp_path / "counted"
    toys = project(tmp_path / "toys", COUNTED.format(str(counted)), one="config: {toys:length: 2}")
    own, other = (
        Job(toys, "one", tmp_path / name if source is None else pack_at(tmp_path / name, source))
        for name, source in (("first", first), ("second", second))
    )
    (outcome,) = preview_all([replace(own, compared=other)])
    assert counted.read_text() == "x" * runs
    for found, job in ((outcome, own), (outcome.compared, other)):
        (alone,) = preview_all([job])
        assert evaluated(found) == evaluated(alone)
    for found, source in ((outcome, first), (outcome.compared, second)):
        assert found is not None
        assert (found.pack is not None) == (source is not None and "PolicyPack" in source)


def test_a_second_pack_evaluates_the_plan_that_fails(tmp_path: Path) -> None:
    toys = project(tmp_path / "toys", PROGRAM, one="config: {}")
    packs = [pack_at(tmp_path / name, PACK.format(name=name, level="DISABLED")) for name in ("a", "b")]
    job, other = (Job(toys, "one", pack) for pack in packs)
    (outcome,) = preview_all([replace(job, compared=other)])
    assert outcome.compared is not None
    assert "toys:length" in str(outcome.error)
    assert "toys:length" in str(outcome.compared.error)
    assert [found.pack and found.pack.name for found in (outcome, outcome.compared)] == ["a", "b"]


def test_a_pack_that_no_job_uses_ends(tmp_path: Path) -> None:
    toys = project(tmp_path / "toys", one="config: {toys:length: 1}")
    with Packs() as packs:
        packs.start([Job(toys, "one", marking_pack(tmp_path))])
        while not list(tmp_path.glob("one-*")):
            time.sleep(0.02)
    assert [stack for stack, _ in started(tmp_path)] == ["one"]


def test_a_pack_that_cannot_start_is_reported_by_each_job(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text("runtime: python\n")
    (pack / "__main__.py").write_text("raise SystemExit('no licence')")
    toys = project(tmp_path / "toys", one="config: {toys:length: 1}", two="config: {toys:length: 2}")
    jobs = [Job(toys, "one", pack), Job(toys, "two", tmp_path / "absent")]
    one, two = (str(outcome.error) for outcome in preview_all(jobs))
    assert "ended before it was up" in one
    assert "no policy pack at" in two


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_an_interruption_ends_every_child(tmp_path: Path, number: signal.Signals) -> None:
    source = f"""
    import os, time, pulumi
    open({str(tmp_path)!r} + "/" + pulumi.get_stack(), "w").write(str(os.getpid()))
    time.sleep(600)
    """
    toys = project(tmp_path / "project", source, one="config: {}", two="config: {}")

    script = (
        "import sys; from pathlib import Path; from rehearsal.pulumi.project import Project;"
        "from rehearsal.parallel_preview import Job, preview_all;"
        "toys = Project.find(Path(sys.argv[1]));"
        "preview_all([Job(toys, name, None) for name in toys.stack_names()], parallel=2)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(toys.root)], stderr=subprocess.PIPE)
    marks = [tmp_path / "one", tmp_path / "two"]
    while not all(mark.exists() and mark.read_text() for mark in marks):
        assert parent.poll() is None
        time.sleep(0.02)
    parent.send_signal(number)
    _, output = parent.communicate(timeout=30)
    assert b"KeyboardInterrupt" in output
    for mark in marks:
        with pytest.raises(ProcessLookupError):
            os.kill(int(mark.read_text()), 0)
