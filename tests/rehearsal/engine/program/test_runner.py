"""Programs: errors with their line, and programs that end although a resource failed."""

from __future__ import annotations

import os
import sys

import pytest

from rehearsal.engine.program.runner import ProgramError
from rehearsal.errors import InputError
from tests.rehearsal.engine.conftest import Stack
from tests.rehearsal.engine.fake_provider import Cloud, refused


def test_a_program_ends_when_a_resource_it_awaits_failed(stack: Stack, cloud: Cloud) -> None:
    def refuse(request: object) -> None:
        raise refused("no")

    cloud.before[("Create", "a")] = refuse
    result = stack.update("""
        g = Group("g")
        a = Thing("a", ResourceOptions(parent=g))
        b = Thing("b", ResourceOptions(depends_on=[a], parent=g), value=a.computed)
        p = Provider("p", region=a.computed)
        c = Thing("c", ResourceOptions(provider=p), value=pulumi.Output.all(b.computed, a.token).apply(str))
        g.register_outputs({"out": c.computed})
        pulumi.export("out", pulumi.Output.format("{0}", c.computed))
    """)
    assert [item.message for item in result.errors] == ["no"]


@pytest.mark.parametrize(
    ("source", "where", "what"),
    [
        ("1 / 0\n", ":4", "ZeroDivisionError"),
        ("import nothing_of_that_name\n", ":4", "ModuleNotFoundError"),
        ("x = (\n", ":4", "never closed"),
        ('raise pulumi.RunError("the setting x is missing")\n', "", "the setting x is missing"),
        ('a = Thing("a")\na.computed.apply(lambda value: value + 1)\n', ":5", "TypeError"),
    ],
)
def test_a_program_that_raises_is_named_with_its_line_and_without_a_traceback(
    stack: Stack, source: str, where: str, what: str
) -> None:
    with pytest.raises(ProgramError) as raised:
        stack.update(source)
    text = str(raised.value)
    assert what in text
    assert where in text
    assert "Traceback" not in text


def test_program_may_end_itself_with_status_0(stack: Stack) -> None:
    stack.up('Thing("a")\nThing("gone")\n')
    stack.up('import sys\nThing("a", value=2)\npulumi.export("x", 1)\nsys.exit(0)\nThing("never")\n')
    assert stack.names() == {"a"}
    assert stack.record("a").inputs["value"] == 2
    assert stack.record("toys-test").outputs == {"x": 1}


@pytest.mark.parametrize("call", ["sys.exit(256)", "sys.exit(False)", "os._exit(512)"])
def test_exit_code_has_eight_bits(stack: Stack, call: str) -> None:
    """As that of the process that runs the program under the CLI."""
    assert stack.up(f"import os, sys\n{call}\n").ok


@pytest.mark.parametrize(
    "call", ["sys.exit(257)", "sys.exit(-1)", "sys.exit(0.0)", "sys.exit('')", "os._exit(1)"]
)
def test_program_that_exits_with_another_code_has_failed(stack: Stack, call: str) -> None:
    with pytest.raises(ProgramError, match="the program ended itself with"):
        stack.update(f"import os, sys\n{call}\n")


def test_export_in_a_callback_of_an_output_is_ignored(stack: Stack) -> None:
    """The SDK registers the outputs of the stack when the program's file ends, as under the CLI."""
    source = 'a = Thing("a")\na.computed.apply(lambda _: pulumi.export("late", 1))\npulumi.export("x", 1)\n'
    stack.up(source)
    assert stack.record("toys-test").outputs == {"x": 1}


def test_nothing_is_registered_after_a_program_exits_at_once_with_status_0(stack: Stack) -> None:
    """As under the CLI: the SDK registers resources after the program's file has run."""
    stack.up('Thing("a")\n')
    stack.up('import os\nThing("a")\nos._exit(0)\n')
    assert stack.names() == set()


def test_program_that_exits_at_once_with_another_status_is_an_error(stack: Stack) -> None:
    stack.up('Thing("a")\n')
    with pytest.raises(ProgramError, match=r"os\._exit\(3\)"):
        stack.update("import os\nos._exit(3)\n")
    assert stack.names() == {"a"}


def test_module_of_the_program_is_preferred_to_one_that_this_process_has_loaded(stack: Stack) -> None:
    import csv
    import secrets

    for name in ("secrets.py", "typer.py", "rich/__init__.py", "queue.py"):
        file = stack.root / "program" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("mine = True\n")
    source = "import csv, queue, rich, secrets, typer\n"
    stack.up(
        source + "pulumi.export('mine', [hasattr(m, 'mine') for m in (secrets, typer, rich, csv, queue)])\n"
    )
    assert stack.record("toys-test").outputs == {"mine": [True, True, True, False, False]}
    assert (sys.modules["secrets"], sys.modules["csv"]) == (secrets, csv)


def test_module_with_the_name_of_this_package_is_refused(stack: Stack) -> None:
    (stack.root / "program").mkdir()
    (stack.root / "program" / "rehearsal.py").write_text("")
    with pytest.raises(InputError, match=r"program/rehearsal\.py: .* a module of the name `rehearsal`"):
        stack.update('Thing("a")\n')


def test_output_of_child_processes_and_of_binary_writes_is_a_message(stack: Stack) -> None:
    """Standard output of the process may carry a JSON result, which other text would break."""
    source = """
        import os, subprocess, sys
        sys.stdout.buffer.write(b"\\xff binary\\n")
        os.write(1, b"direct\\n")
        subprocess.run(["echo", "of a child"], check=True)
        subprocess.run(["echo", "with a file"], check=True, stdout=sys.stdout)
        print("printed", sys.stdout.encoding)
        """
    result = stack.up(source)
    texts = [diagnostic.message for diagnostic in result.diagnostics]
    assert texts == ["\ufffd binary", "printed utf-8", "direct", "of a child", "with a file"]


@pytest.mark.parametrize("name", ["stdout", "stdout.buffer", "stderr"])
def test_program_that_closes_its_output_fails_at_its_end(stack: Stack, name: str) -> None:
    """The language host of the CLI flushes both files after the program, with its resources created."""
    with pytest.raises(ProgramError, match=f"closed sys.{name.partition('.')[0]}"):
        stack.update(f'import sys\nThing("a")\nsys.{name}.close()\n')
    assert stack.names() == {"a"}
    assert not sys.stderr.closed


def test_program_that_uses_standard_error_as_a_context_closes_it(stack: Stack) -> None:
    with pytest.raises(ProgramError, match=r"closed sys\.stderr"):
        stack.update('import sys\nThing("a")\nwith sys.stderr as file:\n    file.write("")\n')
    assert stack.names() == {"a"}


def test_text_for_a_closed_output_is_an_error_of_the_program(stack: Stack) -> None:
    with pytest.raises(ProgramError, match=r":6: .* ValueError: I/O operation on closed file"):
        stack.update("import sys\nsys.stdout.close()\nprint(1)\n")


def test_standard_input_of_a_program_is_empty(stack: Stack) -> None:
    """A program that reads would wait for the terminal; under the CLI it finds the end of the file."""
    source = """
        import subprocess, sys
        children = subprocess.run(["cat"], check=True, capture_output=True).stdout.decode()
        pulumi.export("read", [sys.stdin.read(), children])
        """
    reading, writing = os.pipe()
    before = os.dup(0)
    os.write(writing, b"of the terminal")
    os.close(writing)
    os.dup2(reading, 0)
    try:
        stack.up(source)
        remaining = os.read(0, 100)
    finally:
        os.dup2(before, 0)
        os.close(reading)
        os.close(before)
    assert (stack.record("toys-test").outputs, remaining) == ({"read": ["", ""]}, b"of the terminal")


def test_change_of_the_environment_ends_with_the_program(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", "of the caller")
    monkeypatch.setenv("REMOVED", "1")
    monkeypatch.delenv("ADDED", raising=False)
    before = dict(os.environ)
    stack.up('import os\nos.environ.clear()\nos.environ["ADDED"] = "1"\nThing("a")\n')
    assert dict(os.environ) == before
