"""Calls of a program that would end the process that it shares with kingdom."""

from __future__ import annotations

import atexit
import os
import signal

import pytest

from rehearsal.engine.program.runner import ProgramError
from tests.rehearsal.engine.conftest import Stack, messages

PROGRAM = """
import atexit, os, signal, threading
Thing("a")
{}
"""


@pytest.mark.parametrize(
    ("call", "named"),
    [
        ("os.abort()", "os.abort()"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "the signal SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "the signal SIGTERM"),
        ("signal.raise_signal(signal.SIGUSR1)", "the signal SIGUSR1"),
        ("os.kill(os.getpid(), 40)", "the signal 40"),
        ("signal.pthread_kill(threading.get_ident(), signal.SIGTERM)", "the signal SIGTERM"),
        ('os.execv("/bin/sh", ["sh", "-c", "exit 3"])', "os.exec of /bin/sh"),
        ('os.execlp("sh", "sh", "-c", "exit 3")', "os.exec of"),
        ('os.execve("/bin/sh", ["sh", "-c", "exit $CODE"], {"CODE": "3"})', "os.exec of /bin/sh"),
        ("atexit.register(os._exit, 3)", "os._exit(3)"),
    ],
)
def test_call_that_would_end_the_process_is_an_error(stack: Stack, call: str, named: str) -> None:
    with pytest.raises(ProgramError) as raised:
        stack.update(PROGRAM.format(call))
    assert f"the program ended itself with {named}" in str(raised.value)


@pytest.mark.parametrize(
    "call", ['os.execv("/bin/sh", ["sh", "-c", "exit 0"])', "os.execvp('true', ['true'])"]
)
def test_command_that_replaces_the_program_may_succeed(stack: Stack, call: str) -> None:
    stack.up(PROGRAM.format(call))
    assert stack.names() == set()


@pytest.mark.parametrize(
    "call",
    [
        "os.kill(os.getpid(), 0)",
        "os.kill(os.getpid(), signal.SIGWINCH)",
        "signal.signal(signal.SIGUSR1, lambda *_: print('caught')); os.kill(os.getpid(), signal.SIGUSR1)",
        "signal.pthread_kill(threading.get_ident(), signal.SIGWINCH)",
        "child = os.fork() or os._exit(0); os.waitpid(child, 0)",
        "child = os.fork() or os.abort(); os.waitpid(child, 0)",
        "child = os.fork() or os.execv('/bin/true', ['true']); os.waitpid(child, 0)",
    ],
)
def test_call_that_does_not_end_the_process_has_its_effect(stack: Stack, call: str) -> None:
    stack.up(PROGRAM.format(call))
    assert stack.names() == {"a"}


def test_exit_functions_run_when_the_program_ends(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    program = PROGRAM.format(
        "atexit.register(print, 'first')\n"
        "gone = atexit.register(lambda: print('gone'))\n"
        "atexit.unregister(gone)\n"
        "atexit.register(lambda: 1 / 0)\n"
        "atexit.register(print, 'last', end='!')\n"
    )
    assert messages(stack.up(program)) == ["last!first"]
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert stack.names() == {"a"}


def test_process_has_its_own_calls_after_the_program(stack: Stack) -> None:
    before = os._exit, os.abort, os.kill, os.execv, atexit.register, signal.pthread_kill
    stack.up(PROGRAM.format("atexit.register(os._exit, 0)"))
    after = os._exit, os.abort, os.kill, os.execv, atexit.register, signal.pthread_kill
    assert after == before
    assert stack.names() == {"a"}
