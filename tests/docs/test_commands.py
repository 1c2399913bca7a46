"""Commands in documents: their targets, subcommands, options, modules and files exist."""

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

import pytest

from benchmarks._registry import discover
from tests.docs._shell import Command, commands
from tests.repository._tree import ROOT, name
from tests.repository.test_make import targets
from tools.docs.commands_page import options, tree
from tools.docs.markdown import blocks, documents, table

KINGDOM = tree()
PULUMI = {
    "cancel",
    "config",
    "destroy",
    "import",
    "login",
    "logout",
    "policy",
    "preview",
    "refresh",
    "stack",
    "state",
    "up",
}
INSTALLED = {path.name for path in (ROOT / ".venv" / "bin").iterdir()}
# Programs that documents may use beside those that the project installs.
ELSEWHERE = {
    "cd",
    "echo",
    "set",
    "curl",
    "gcloud",
    "atlas",
    "docker",
    "gh",
    "git",
    "jq",
    "kubectl",
    "read",
    "security",
    "sudo",
    "update-ca-certificates",
    "cp",
    "node",
    # Scanners for rendered manifests, in the page that explains their findings.
    "checkov",
    "kube-score",
}


@cache
def load_options(command: str) -> set[str]:
    """Return the options of `kingdom load COMMAND`, from a process of its own: Locust replaces sockets."""
    page = subprocess.run(
        [sys.executable, "-m", "loadtest", command, "-h"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(re.findall(r"--?[a-z][a-z-]*", page.stdout))


def _claims() -> Iterator[tuple[str, Command]]:
    for document in documents():
        for block in blocks(document, "sh", "shell", "bash", "console"):
            for command in commands(block):
                yield name(document), command


CLAIMS = list(_claims())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("document", "command"), CLAIMS, ids=lambda value: str(getattr(value, "words", value))
)
def test_a_documented_command_can_be_typed(document: str, command: Command) -> None:
    assert document
    arguments = command.arguments
    match command.program:
        case "make":
            assert {word for word in arguments if "=" not in word and word[0] != "-"} <= targets()
        case "kingdom":
            if "--" in arguments:  # what follows is the command that `kingdom exec` runs
                arguments = arguments[: arguments.index("--")]
            words = [word for word in arguments if not word.startswith("-")]
            known = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in KINGDOM), None)
            assert known, f"no such command: {' '.join(command.words)}"
            given = {word.partition("=")[0] for word in arguments if word.startswith("-")}
            if known == "load":  # `kingdom load` passes its arguments to a parser of its own
                assert given <= load_options(arguments[1])
            else:
                assert given <= options(KINGDOM[known])
        case "pulumi":
            assert arguments[0] in PULUMI
        case "python":
            assert arguments[0] == "-m"
            assert (ROOT / arguments[1].replace(".", "/")).exists(), arguments[1]
        case program:
            script = (ROOT / command.words[0]).is_file() and "/" in command.words[0]
            assert script or program in INSTALLED | ELSEWHERE


def test_the_local_page_names_every_command_of_kingdom() -> None:
    rows = table(ROOT / "docs/local.md", "Commands")
    assert [row[0].strip("`").removeprefix("kingdom ").split(" -")[0] for row in rows] == list(KINGDOM)


def test_the_benchmark_table_names_every_benchmark_and_nothing_else() -> None:
    rows = table(ROOT / "docs/benchmarks.md", "Benchmarks")
    assert [row[0].strip("`") for row in rows] == [benchmark.name for benchmark in discover().benchmarks]


def test_benchmark_targets_in_the_page_are_those_of_the_code() -> None:
    rows = {row[0].strip("`"): row for row in table(ROOT / "docs/benchmarks.md", "Benchmarks")}
    for benchmark in discover().benchmarks:
        assert benchmark.target in rows[benchmark.name], benchmark.name
