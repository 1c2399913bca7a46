"""Calls by which a program would end or replace the process that it shares with kingdom.

Under the CLI a program has a process of its own, whose exit code is its result.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

from rehearsal.engine.program.hang_detector import is_program_file

# Signals that do not end a process by default.
_HARMLESS: Final = frozenset(
    {
        signal.SIGCHLD,
        signal.SIGCONT,
        signal.SIGSTOP,
        signal.SIGTSTP,
        signal.SIGTTIN,
        signal.SIGTTOU,
        signal.SIGURG,
        signal.SIGWINCH,
    }
)


class ExitError(BaseException):
    """The program made the call `call`, which would end this process with `status`, without a message."""

    def __init__(self, status: int, call: str) -> None:
        super().__init__(call)
        self.status = status
        self.call = call


@dataclass
class ProcessCalls:
    """Replaces the calls within `active`. `exited` are the errors that were raised; `on_exit` precedes each.

    `main` is the folder of the program, whose own functions for `atexit` run when the program ends.
    """

    main: Path
    on_exit: Callable[[], None]
    exited: list[ExitError] = field(default_factory=list)
    _at_exit: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    _process: int = field(default_factory=os.getpid)
    _thread: int = field(default_factory=threading.get_ident)

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Replace the calls in this process, but not in forked children."""
        replaced: list[tuple[Any, str, Callable[[Any], Any]]] = [
            (os, "_exit", self._exit),
            (os, "abort", self._abort),
            (os, "kill", self._kill),
            (os, "execv", self._execv),
            (os, "execve", self._execve),
            (signal, "raise_signal", self._raise_signal),
            (signal, "pthread_kill", self._pthread_kill),
            (atexit, "register", self._register),
            (atexit, "unregister", self._unregister),
        ]
        originals = [getattr(module, name) for module, name, _ in replaced]
        for (module, name, replacement), original in zip(replaced, originals, strict=True):
            setattr(module, name, replacement(original))
        try:
            yield
        finally:
            for (module, name, _), original in zip(replaced, originals, strict=True):
                setattr(module, name, original)

    def run_exit_functions(self) -> None:
        """Run the functions that the program has registered with `atexit`, the last one first.

        Their exceptions are printed and have no effect, as at the end of a process. Raises ExitError.
        """
        while self._at_exit and not self.exited:
            function, args, keywords = self._at_exit.pop()
            try:
                function(*args, **keywords)
            except ExitError as error:
                if error.status & 0xFF:
                    raise
                self.exited.clear()
                return
            except BaseException:
                traceback.print_exc()

    def _end(self, status: int, call: str) -> NoReturn:
        self.exited.append(ExitError(status, call))
        self.on_exit()
        # Another thread ends silently; the main thread reports the error.
        raise self.exited[-1] if threading.get_ident() == self._thread else SystemExit(status)

    def _end_by_signal(self, number: int, terminate: Any) -> None:
        if self._is_own() and _is_fatal(number, terminate):
            # Real-time signals have no names.
            name = signal.Signals(number).name if number in set(signal.Signals) else number
            self._end(128 + number, f"the signal {name}")

    def _is_own(self) -> bool:
        return os.getpid() == self._process

    def _exit(self, original: Callable[[int], NoReturn]) -> Callable[[int], NoReturn]:
        def _exit(status: int) -> NoReturn:
            if not self._is_own():
                original(status)
            self._end(status, f"os._exit({status!r})")

        return _exit

    def _abort(self, original: Callable[[], NoReturn]) -> Callable[[], NoReturn]:
        def abort() -> NoReturn:
            if not self._is_own():
                original()
            self._end(128 + signal.SIGABRT, "os.abort()")

        return abort

    def _kill(self, original: Callable[[int, int], None]) -> Callable[[int, int], None]:
        terminate = signal.getsignal(signal.SIGTERM)  # kingdom's own handler does not count

        def kill(pid: int, number: int, /) -> None:
            if pid == self._process:
                self._end_by_signal(number, terminate)
            original(pid, number)

        return kill

    def _raise_signal(self, original: Callable[[int], None]) -> Callable[[int], None]:
        terminate = signal.getsignal(signal.SIGTERM)

        def raise_signal(number: int, /) -> None:
            self._end_by_signal(number, terminate)
            original(number)

        return raise_signal

    def _pthread_kill(self, original: Callable[[int, int], None]) -> Callable[[int, int], None]:
        terminate = signal.getsignal(signal.SIGTERM)

        def pthread_kill(thread: int, number: int, /) -> None:
            self._end_by_signal(number, terminate)
            original(thread, number)

        return pthread_kill

    def _execv(self, original: Callable[..., NoReturn]) -> Callable[..., NoReturn]:
        def execv(path: Any, argv: Sequence[Any], /) -> NoReturn:
            if not self._is_own():
                original(path, argv)
            self._run(path, argv, None)

        return execv

    def _execve(self, original: Callable[..., NoReturn]) -> Callable[..., NoReturn]:
        def execve(path: Any, argv: Sequence[Any], env: Mapping[Any, Any]) -> NoReturn:
            if not self._is_own():
                original(path, argv, env)
            self._run(path, argv, env)

        return execve

    def _run(self, path: Any, argv: Sequence[Any], env: Mapping[Any, Any] | None) -> NoReturn:
        """Run the command that would replace this process, and end with its exit code."""
        ended = subprocess.run(list(argv), executable=path, env=env, check=False)
        self._end(ended.returncode, f"os.exec of {os.fsdecode(path)}")

    def _register(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def register(function: Callable[..., Any], /, *args: Any, **keywords: Any) -> Any:
            caller = sys._getframe(1).f_code.co_filename
            if not self._is_own() or not is_program_file(caller, self.main):
                return original(function, *args, **keywords)
            self._at_exit.append((function, args, keywords))
            return function

        return register

    def _unregister(self, original: Callable[[Callable[..., Any]], None]) -> Callable[..., None]:
        def unregister(function: Callable[..., Any], /) -> None:
            self._at_exit[:] = [item for item in self._at_exit if item[0] != function]
            original(function)

        return unregister


def _is_fatal(number: int, terminate: Any) -> bool:
    """Return whether the signal `number` would end a process that runs the program alone."""
    if number == signal.SIGKILL:
        return True
    if number not in signal.valid_signals() or number in _HARMLESS:
        return False
    handler = signal.getsignal(number)
    return handler is signal.SIG_DFL or (number == signal.SIGTERM and handler is terminate)
