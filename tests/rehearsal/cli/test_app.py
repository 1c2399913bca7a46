"""Invalid input: each kind is reported with file, position and remedy, and changes nothing."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import typer

from rehearsal.cli import app as command_line
from rehearsal.cli.commands.base import app
from tests.rehearsal.minimal import KINGDOM, Tiny

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Case:
    """An invalid project or command, and texts in its output.

    `spoil` changes the project; if it returns a context manager, that is open while the command runs.
    """

    name: str
    spoil: Callable[[Tiny], object]
    says: tuple[str, ...]
    code: int = 2
    command: tuple[str, ...] = ("up",)
    env: Mapping[str, str | None] = field(default_factory=dict)
    full_disk: bool = False


# The format in which infra/settings/errors.py reports wrong settings.
REFUSED = """raise pulumi.RunError(
    'stack "local": one setting is wrong in stacks/Pulumi.local.yaml, and nothing was changed\\n'
    "  tiny:words = 2\\n      must be at least 3"
)
pulumi.export("""


def replaced(path: str, old: str, new: str) -> Callable[[Tiny], None]:
    def spoil(project: Tiny) -> None:
        text = (project.root / path).read_text()
        assert old in text
        (project.root / path).write_text(text.replace(old, new))

    return spoil


def written(path: str, text: str) -> Callable[[Tiny], object]:
    return lambda project: (project.root / path).write_text(text)


def untouched(project: Tiny) -> None:
    """Change nothing: the command itself is invalid."""


def removed(path: str) -> Callable[[Tiny], None]:
    return lambda project: (project.root / path).unlink()


def state_with(change: Callable[[dict[str, object]], None]) -> Callable[[Tiny], None]:
    def spoil(project: Tiny) -> None:
        data = json.loads(project.state.read_text())
        change(data)
        project.state.write_text(json.dumps(data))

    return spoil


def a_folder_for_the_state(project: Tiny) -> None:
    project.state.unlink()
    project.state.mkdir()


def a_file_for_the_folder(project: Tiny) -> None:
    shutil.rmtree(project.state.parent)
    project.state.parent.write_text("")


@contextmanager
def a_busy_port(project: Tiny) -> Iterator[None]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with project.stack.open("a") as file:
            file.write(f"  rehearsal:machine: {{ edgePort: {port} }}\n")
        yield


@contextmanager
def another_writer(project: Tiny) -> Iterator[None]:
    with (project.state.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("`kingdom up --stack local` (process 1)")
        lock.flush()
        yield


STACK, PROGRAM, PACK = "stacks/Pulumi.local.yaml", "infra/__main__.py", "policies/__main__.py"
STATE, JOURNAL = ".rehearsal/local/state.json", ".rehearsal/local/journal.jsonl"

CASES = [
    # -- settings
    Case(
        "a missing setting",
        replaced(STACK, "tiny:words: 2", "tiny:others: 2"),
        ("infra/__main__.py:4", "tiny:words is missing", "Pulumi.local.yaml"),
    ),
    Case("an empty stack file", written(STACK, ""), ("tiny:words is missing",)),
    Case(
        "an ill-typed setting",
        replaced(STACK, "2", "two"),
        ("infra/__main__.py:4", "tiny:words is 'two'", "int", "Pulumi.local.yaml"),
    ),
    Case(
        "a setting that stands twice",
        written(STACK, "config:\n  tiny:words: 2\n  tiny:words: 3\n"),
        (f"{STACK}:3:3", "tiny:words", "line 2"),
    ),
    Case(
        "an input of the wrong type",
        replaced(PROGRAM, 'pulumi.Config().require_int("words")', '"two"'),
        ("word", "length", "two", "infra/__main__.py:4"),
        1,
    ),
    Case(
        "an unknown key of the rehearsal",
        replaced(STACK, "tiny:words: 2", "rehearsal:machines: {}"),
        (STACK, "rehearsal:machines", "unknown"),
    ),
    Case(
        "an unknown option of the machine",
        replaced(STACK, "tiny:words: 2", "rehearsal:machine: { edgePort: 70000, edge: 1 }"),
        ("rehearsal:machine.edge ", "rehearsal:machine.edgePort is 70000", "1 to 65535"),
    ),
    Case("a stack file that is not YAML", written(STACK, "config: [\n"), (f"{STACK}:2:1", "YAML")),
    Case("a stack file that is a list", written(STACK, "- config\n"), (STACK, "mapping")),
    # -- the project
    Case("an unknown stack", untouched, ("nowhere", "local"), command=("up", "--stack", "nowhere")),
    Case("no Pulumi.yaml", removed("Pulumi.yaml"), ("Pulumi.yaml", "project's folder")),
    Case(
        "a Pulumi.yaml without a program",
        replaced("Pulumi.yaml", "main: infra", "main: nothing"),
        ("Pulumi.yaml", "main", "'nothing'"),
    ),
    Case("an unknown option", untouched, ("--stak",), command=("up", "--stak", "local")),
    # -- the program
    Case(
        "a program that raises",
        replaced(PROGRAM, "pulumi.export(", 'raise LookupError("no such word")\npulumi.export('),
        ("infra/__main__.py:6", "LookupError", "no such word"),
        1,
    ),
    Case(
        "settings that the program refuses",
        replaced(PROGRAM, "pulumi.export(", REFUSED),
        (STACK, "tiny:words = 2", "must be at least 3"),
        command=("preview",),
    ),
    Case(
        "a program that ends itself",
        replaced(PROGRAM, "pulumi.export(", "raise SystemExit(3)\npulumi.export("),
        ("infra/__main__.py:6", "sys.exit(3)", "RunError"),
        1,
    ),
    Case(
        "a program that raises a BaseException",
        replaced(PROGRAM, "pulumi.export(", 'raise GeneratorExit("odd")\npulumi.export('),
        ("infra/__main__.py:6", "GeneratorExit", "odd"),
        1,
    ),
    Case(
        "a program that is not Python",
        replaced(PROGRAM, "word = ", "word == = "),
        ("infra/__main__.py:4", "SyntaxError"),
        1,
    ),
    Case(
        "a program that imports what is not there",
        replaced(PROGRAM, "import pulumi\n", "import pulumi\nimport pulumi_nowhere\n"),
        ("infra/__main__.py:2", "pulumi_nowhere"),
        1,
    ),
    Case(
        "a program of a cloud without an emulation",
        replaced(
            PROGRAM, "pulumi.export(", 'pulumi.CustomResource("nowhere:index:Thing", "t")\npulumi.export('
        ),
        ("nowhere", "gcp, kubernetes"),
        1,
    ),
    # -- the policy pack
    Case(
        "a pack that raises",
        replaced(PACK, "def validate", 'raise LookupError("no such rule")\ndef validate'),
        ("policies/__main__.py", "LookupError", "no such rule", "Fix the pack"),
        1,
    ),
    Case(
        "a policy that raises",
        replaced(PACK, "    pass", '    raise LookupError("no such rule")'),
        ("policies/__main__.py:4", "no such rule", "fix it"),
        1,
    ),
    Case(
        "no pack",
        untouched,
        ("nowhere", "PulumiPolicy.yaml", "--policy-pack"),
        1,
        ("up", "--policy-pack", "nowhere"),
    ),
    Case(
        "a pack with unknown configuration",
        replaced(STACK, "tiny:words: 2", "tiny:words: 2\n  policies:config: { no-such-policy: mandatory }"),
        ("policies:config", "no-such-policy"),
        1,
        ("up", "--policy-pack", str(ROOT / "policies")),
    ),
    Case(
        "a pack configuration that is not JSON",
        written("rules.json", "{"),
        ("rules.json",),
        command=("check", "stacks", "--policy-pack-config", "rules.json"),
    ),
    # -- the state
    Case("a wrong passphrase", untouched, (STATE, "passphrase"), env={"PULUMI_CONFIG_PASSPHRASE": "other"}),
    Case(
        "no passphrase",
        untouched,
        (".rehearsal/passphrase", "PULUMI_CONFIG_PASSPHRASE"),
        env={"PULUMI_CONFIG_PASSPHRASE": None},
    ),
    Case(
        "a passphrase file that is not there",
        untouched,
        ("PULUMI_CONFIG_PASSPHRASE_FILE", "nowhere"),
        env={"PULUMI_CONFIG_PASSPHRASE": None, "PULUMI_CONFIG_PASSPHRASE_FILE": "nowhere"},
    ),
    Case("a state that is cut off", written(STATE, '{"version": 3, "depl'), (STATE, "state.json.bak")),
    Case("an empty state", lambda project: project.state.write_text(""), (STATE, "state.json.bak")),
    Case("a state of another version", state_with(lambda data: data.update(version=4)), (STATE, "4")),
    Case("a damaged journal", written(JOURNAL, "{}\n"), (JOURNAL, "line 1", "Remove the file")),
    Case("a state that cannot be read", a_folder_for_the_state, (STATE, "cannot be read")),
    Case("a folder of state that is none", a_file_for_the_folder, (".rehearsal/local", "folder")),
    Case("a state that is being written", another_writer, (".rehearsal/local", "process 1", "Wait")),
    Case(
        "a full disk",
        replaced(STACK, "2", "3"),
        (".rehearsal/local", "cannot be written", "Free disk space"),
        full_disk=True,
    ),
    # -- the machine
    Case("a busy port", a_busy_port, ("port", f"pid {os.getpid()}", "rehearsal:machine.edgePort"), 1),
    Case("logs of what does not run", untouched, ("local", "kingdom up"), 1, ("logs",)),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Return a deployed project that was updated once, so that its state has a backup."""
    project = Tiny.make(tmp_path_factory.mktemp("made"))
    for words in ("1", "2"):
        project.stack.write_text(f"config:\n  tiny:words: {words}\n")
        ended = project.run("up")
        assert ended.returncode == 0, ended.stderr
    return project


Results = dict[str, tuple[subprocess.CompletedProcess[str], bool]]


@pytest.fixture(scope="module")
def results_by_case(
    made: Tiny, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Results:
    """Return per case the result of the command and whether it left all files unchanged.

    Two run in parallel.
    """

    def run_case(case: Case) -> tuple[subprocess.CompletedProcess[str], bool]:
        project = Tiny(tmp_path_factory.mktemp("case") / "tiny")
        shutil.copytree(made.root, project.root, symlinks=True)
        with ExitStack() as held:
            context = case.spoil(project)
            if isinstance(context, AbstractContextManager):
                held.enter_context(context)
            before = project.tree()
            return project.run(
                *case.command, env=case.env, full_disk=case.full_disk
            ), project.tree() == before

    chosen = {item.callspec.id for item in request.session.items if hasattr(item, "callspec")}
    with ThreadPoolExecutor(2) as pool:
        results = {case.name: pool.submit(run_case, case) for case in CASES if case.name in chosen}
        return {name: result.result() for name, result in results.items()}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_invalid_input_is_reported_and_changes_nothing(case: Case, results_by_case: Results) -> None:
    ended, unchanged = results_by_case[case.name]
    output = ended.stdout + ended.stderr
    assert ended.returncode == case.code, output
    assert "Traceback" not in output
    for words in case.says:
        assert words in output
    assert unchanged


def test_a_failure_before_the_first_record_leaves_no_file(tmp_path: Path) -> None:
    project = Tiny.make(tmp_path)
    replaced(STACK, "tiny:words", "tiny:others")(project)
    before = project.tree()
    for command in ("preview", "up", "down", "refresh"):
        project.run(command, env={"PULUMI_CONFIG_PASSPHRASE": None})
        assert project.tree() == before, command


AGAIN = "error: interrupted\n  Run the command again"


@pytest.mark.parametrize(
    ("command", "number", "says"),
    [
        ("up", signal.SIGINT, f"{AGAIN}: it continues from the recorded state.\n"),
        ("up", signal.SIGTERM, f"{AGAIN}: it continues from the recorded state.\n"),
        ("preview", signal.SIGINT, f"{AGAIN}.\n"),
    ],
)
def test_an_interrupt_ends_a_program_that_hangs(
    tmp_path: Path, command: str, number: signal.Signals, says: str
) -> None:
    """Also if SIGINT is ignored, as in background jobs of a shell."""
    project = Tiny.make(tmp_path)
    reached = tmp_path / "reached"
    os.mkfifo(reached)
    replaced(PROGRAM, "word = ", f"open({str(reached)!r}, 'w')\nwhile True: pass\nword = ")(project)
    with subprocess.Popen(
        [str(KINGDOM), command],
        cwd=project.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    ) as process:
        reached.open().close()  # waits until the program opens it too
        process.send_signal(number)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert output == says
    assert not project.state.parent.exists()


@pytest.mark.parametrize("names", [command_line.LONG_RUNNING, command_line.RESUMABLE])
def test_commands_that_are_listed_exist(names: frozenset[str]) -> None:
    command = typer.main.get_command(app)
    assert names <= set(getattr(command, "commands", {}))
