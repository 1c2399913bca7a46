"""Language host: runs the Pulumi program against a resource monitor in this process."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import faulthandler
import io
import json
import logging
import os
import runpy
import sys
import tempfile
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Self, TextIO, cast

import pulumi
from google.protobuf import empty_pb2
from pulumi.config import ConfigMissingError, ConfigTypeError
from pulumi.runtime import Settings, configure, run_in_stack, set_all_config
from pulumi.runtime import stack as sdk_stack
from pulumi.runtime.proto import engine_pb2
from pulumi.runtime.settings import SETTINGS

import rehearsal
from rehearsal.engine.errors import StoppedError
from rehearsal.engine.program.hang_detector import HangDetector, MonitorActivity, is_program_file
from rehearsal.engine.program.imported_sdks import references_of_imported_sdks
from rehearsal.engine.program.process_calls import ExitError, ProcessCalls
from rehearsal.engine.program.source_positions import quick_positions
from rehearsal.engine.program.unreadable_config import as_unknown
from rehearsal.errors import WRONG_SETTINGS, InputError, KingdomError
from rehearsal.pulumi import gc_pause

# Number of registrations in progress at the same time; each occupies a thread until its resource exists.
_PARALLEL: Final = 64
_STDIN: Final = 0
_STDOUT: Final = 1


class ProgramError(KingdomError):
    """The program raised an exception; the message contains its file and line."""


class SettingsError(ProgramError):
    """The program cannot use its settings."""

    exit_code = InputError.exit_code


def run(
    *,
    main: Path,
    root: Path,
    project: str,
    stack: str,
    config: Mapping[str, str],
    entry: Path | None = None,
    secrets: Collection[str] = (),
    unreadable: Collection[str] = (),
    monitor: Any,
    engine: Any,
    dry_run: bool,
    notice: Callable[[str], None],
) -> None:
    """Run the program in the folder `main` until all of its registrations are complete.

    `entry` is the file to run, if it is not ``__main__.py``. `config` holds full keys such as
    ``kingdom:network``; structured values are JSON. Keys in `secrets` are secret; keys in `unreadable` are
    unknown. `notice` receives the source position of a program that hangs. Raises ProgramError.
    """
    watched = MonitorActivity(monitor)

    def work() -> None:
        set_all_config(dict(config), list(secrets))
        configure(
            Settings(
                project=project,
                stack=stack,
                monitor=watched,
                engine=engine,
                parallel=_PARALLEL,
                dry_run=dry_run,
                organization="organization",
                root_directory=str(root),
            )
        )
        # The SDK leaves futures unobserved when a program fails; asyncio would print a traceback for each.
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        calls = ProcessCalls(main, watched.close)
        with _event_loop() as loop:
            try:
                with (
                    _surroundings(main, entry or main, config, secrets),
                    _fresh_modules(main),
                    calls.active(),
                    as_unknown(unreadable),
                    references_of_imported_sdks(main, entry or main),
                    _output_as_messages(engine),
                    _quick_waits(),
                    quick_positions(),
                    _tracebacks_of_crashes(),
                    gc_pause.off(),
                    HangDetector(watched, main, root, notice),
                ):
                    try:
                        loop.run_until_complete(run_in_stack(lambda: _execute(entry or main)))
                    finally:
                        calls.run_exit_functions()
                    if calls.exited:  # raised in another thread, where the exception was lost
                        raise calls.exited[0]
            except (KingdomError, KeyboardInterrupt):
                raise
            except BaseException as raised:
                error = calls.exited[0] if calls.exited else raised
                if _is_success(error):
                    # The language host of the CLI exits with 0, too: the program has ended.
                    monitor.SignalAndWaitForShutdown(empty_pb2.Empty())
                    return
                _raise_failure(error, main, root, stack, monitor.failed_calls)

    # The SDK stores its settings in context variables: a separate context isolates the next run.
    contextvars.copy_context().run(work)


# Measured by `sys.modules` in programs that both engines ran.
_HOST_PACKAGES: Final = frozenset(
    {
        "dill",
        "google",
        "grpc",
        "opentelemetry",
        "packaging",
        "psutil",
        "pulumi",
        "semver",
        "typing_extensions",
    }
    | {"__main__", "rehearsal", "yaml"}
)
_UNUSED_BY_HOST: Final = frozenset(
    {
        "colorsys",
        "csv",
        "decimal",
        "difflib",
        "fractions",
        "hmac",
        "secrets",
        "sysconfig",
        "unicodedata",
        "zipfile",
        "zoneinfo",
    }
)


@contextlib.contextmanager
def _event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Yield an event loop with threads for registrations; at the end, cancel its tasks and close it."""
    loop = asyncio.new_event_loop()
    executor = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="register")
    loop.set_default_executor(executor)
    try:
        yield loop
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        with contextlib.suppress(Exception):
            loop.run_until_complete(asyncio.sleep(0))
        executor.shutdown(wait=True, cancel_futures=True)
        loop.close()


@contextlib.contextmanager
def _fresh_modules(main: Path) -> Iterator[None]:
    """Import the program's own modules again: they may hold outputs of an earlier run.

    A module that this process has loaded, but a language host has not, does not replace a module of the
    program with the same name. Raises InputError for one that is named like this package.
    """
    names = {path.stem for path in main.glob("*.py")} | {
        path.parent.name for path in main.glob("*/__init__.py")
    }

    def own() -> dict[str, Any]:
        return {
            name: module
            for name, module in list(sys.modules.items())
            if name != "__main__"
            and name.partition(".")[0] != "rehearsal"
            and is_program_file(getattr(module, "__file__", None) or "", main)
        }

    before = own()
    if "rehearsal" in names and not is_program_file(rehearsal.__file__ or "", main):
        file = "rehearsal.py" if (main / "rehearsal.py").is_file() else "rehearsal/__init__.py"
        raise InputError(
            f"{main / file}: kingdom cannot run a program with a module of the name `rehearsal`",
            remedy="Rename the module: kingdom's own package has this name.",
        )
    before |= {
        name: module
        for name, module in list(sys.modules.items())
        if (top := name.partition(".")[0]) in names and not _is_of_language_host(top)
    }
    for name in before:
        del sys.modules[name]
    try:
        yield
    finally:
        for name in own():
            del sys.modules[name]
        sys.modules.update(before)


def _is_of_language_host(name: str) -> bool:
    """Return whether the language host imports the module `name` before it runs a program."""
    return name in _HOST_PACKAGES or (name in sys.stdlib_module_names and name not in _UNUSED_BY_HOST)


class _Messages(io.TextIOBase):
    """Converts printed lines of the program to log messages of the operation.

    As a file, it raises ValueError for what is written after the program has closed it.
    """

    encoding = "utf-8"

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._rest = ""
        self.buffer = _Bytes(self)

    def fileno(self) -> int:
        return _STDOUT

    def write(self, text: str) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._log(line)
        return len(text)

    def finish(self, text: str = "") -> None:
        """Log the last line, which has no end, and the lines of `text`."""
        for line in [self._rest, *text.split("\n")]:
            self._log(line)
        self._rest = ""

    def _log(self, line: str) -> None:
        if line.strip():
            self._engine.Log(engine_pb2.LogRequest(severity=engine_pb2.INFO, message=line))


class _Bytes(io.RawIOBase):
    """Binary form of `_Messages`, for programs that use ``sys.stdout.buffer``."""

    def __init__(self, messages: _Messages) -> None:
        self._messages = messages

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        self._messages.close()
        super().close()

    def write(self, data: Any) -> int:
        self._messages.write(bytes(data).decode(errors="replace"))
        return len(data)


class _StandardError:
    """Standard error of this process, which stays open when the program closes it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.closed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __enter__(self) -> Self:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True


@contextlib.contextmanager
def _tracebacks_of_crashes() -> Iterator[None]:
    """Write a Python traceback to standard error if native code ends this process, such as by SIGSEGV.

    Without effect if `faulthandler` is enabled already, as by pytest, or standard error is closed.
    """
    if faulthandler.is_enabled() or sys.__stderr__ is None or sys.__stderr__.closed:
        yield
        return
    faulthandler.enable(sys.__stderr__, all_threads=False)
    try:
        yield
    finally:
        faulthandler.disable()


@contextlib.contextmanager
def _output_as_messages(engine: Any) -> Iterator[None]:
    """Redirect the program's output to log messages: standard output may carry a JSON result.

    Output of child processes becomes messages when the program has ended. Input is empty, as under the CLI.
    Raises ProgramError if the program succeeded, but has closed its output or standard error, which the
    language host of the CLI flushes.
    """
    messages, errors = _Messages(engine), _StandardError(sys.stderr)
    with (
        _no_input(),
        _stdout_of_children() as written,
        contextlib.redirect_stdout(messages),
        contextlib.redirect_stderr(cast(TextIO, errors)),
    ):
        try:
            yield
        finally:
            messages.finish(written().decode(errors="replace"))
    for name, file in (("stdout", messages), ("stderr", errors)):
        if file.closed:
            raise ProgramError(
                f"the program closed sys.{name}, which must stay open until the program has ended",
                remedy=f"Remove the call of sys.{name}.close().",
            )


@contextlib.contextmanager
def _no_input() -> Iterator[None]:
    """Redirect standard input to an empty file, for the program and its child processes."""
    original = sys.stdin
    with contextlib.ExitStack() as restored, Path(os.devnull).open() as empty:
        with contextlib.suppress(OSError):  # closed by the caller
            copy = os.dup(_STDIN)
            restored.callback(os.close, copy)
            restored.callback(os.dup2, copy, _STDIN)
            os.dup2(empty.fileno(), _STDIN)
        sys.stdin = empty
        try:
            yield
        finally:
            sys.stdin = original


@contextlib.contextmanager
def _stdout_of_children() -> Iterator[Callable[[], bytes]]:
    """Redirect the file descriptor 1 to a file; yield a function that returns what it contains.

    A pipe would have to be read until the last child process has closed it, which may outlive the program.
    """
    try:
        original = os.dup(_STDOUT)
    except OSError:  # closed by the caller
        yield lambda: b""
        return
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), _STDOUT)
        try:
            yield lambda: os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)
        finally:
            os.dup2(original, _STDOUT)
            os.close(original)


def _outputs() -> set[asyncio.Task[Any]]:
    """Return the SDK's tasks of pending outputs."""
    return set(SETTINGS.outputs)  # pyrefly: ignore  (a property whose decorator loses its type)


def _execute(entry: Path) -> None:
    """Run the program. A file does not make its folder importable, and has its name alone as ``__file__``."""
    if entry.is_dir():
        runpy.run_path(str(entry), run_name="__main__")
        return
    code = compile(entry.read_bytes(), str(entry), "exec")  # with the whole path, for positions of errors
    module = ModuleType("__main__")
    module.__file__, module.__package__ = entry.name, ""
    before = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        exec(code, vars(module))  # noqa: S102
    finally:
        sys.modules["__main__"] = before


@contextlib.contextmanager
def _quick_waits() -> Iterator[None]:
    """Wait for pending outputs before the SDK does.

    The SDK iterates over all of them after each one, which took a quarter of the time of a preview with 200
    resources. The wait is after the registration of the stack's outputs, as in the SDK: an export in a
    callback of an output comes too late for it.
    """
    original = sdk_stack.wait_for_rpcs

    async def wait_for_rpcs(*args: Any, **kwargs: Any) -> None:
        await _wait_for_outputs()
        await original(*args, **kwargs)

    sdk_stack.wait_for_rpcs = wait_for_rpcs
    try:
        yield
    finally:
        sdk_stack.wait_for_rpcs = original


async def _wait_for_outputs() -> None:
    """Wait for pending outputs until one fails, which is left for the SDK to raise."""
    while pending := [task for task in _outputs() if not task.done()]:
        done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_EXCEPTION)
        if any(task.cancelled() or task.exception() for task in done):
            return


@contextlib.contextmanager
def _surroundings(
    main: Path, entry: Path, config: Mapping[str, str], secrets: Collection[str]
) -> Iterator[None]:
    """Set the working directory, arguments, search path and environment as a language host does.

    Afterwards all are as before: a program can change each of them, and this process continues.
    """
    variables = {"PULUMI_CONFIG_SECRET_KEYS": json.dumps(sorted(secrets))}
    if config:
        variables["PULUMI_CONFIG"] = json.dumps(dict(config))
    cwd, argv, search, environment = Path.cwd(), sys.argv, list(sys.path), dict(os.environ)
    for name in ("PULUMI_CONFIG", "PULUMI_CONFIG_SECRET_KEYS"):
        os.environ.pop(name, None)
    os.environ.update(variables)
    sys.argv = ["." if entry == main else entry.name]
    os.chdir(main)
    try:
        yield
    finally:
        os.chdir(cwd)
        sys.argv = argv
        sys.path[:] = search
        os.environ.update(environment)
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]


def _is_success(error: BaseException) -> bool:
    """Whether the program ended itself with the exit code 0, which has eight bits."""
    if isinstance(error, ExitError):
        return error.status & 0xFF == 0
    if not isinstance(error, SystemExit):
        return False
    return error.code is None or (isinstance(error.code, int) and error.code & 0xFF == 0)


def _raise_failure(
    error: BaseException, main: Path, root: Path, stack: str, failed_calls: Mapping[str, KingdomError]
) -> None:
    """Raise the error of a failed run. Return if the engine stopped the program.

    `failed_calls` are the errors of function calls by the text of the exception that the SDK raises for one.
    The message of a program that handles such an exception and raises `pulumi.RunError` has precedence.
    """
    own_message = False
    for cause in _causes(error):
        own_message = own_message or isinstance(cause, pulumi.RunError)
        if (failed := failed_calls.get(str(cause))) is not None and not own_message:
            raise ProgramError(failed.message, remedy=failed.remedy)
        if isinstance(cause, StoppedError):
            return
        if isinstance(cause, KingdomError):
            raise cause from None
    raise _explained(error, main, root, stack) from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and its causes. The SDK sets some errors as their own cause."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        yield cause
        seen.add(id(cause))
        cause = cause.__cause__ if isinstance(cause.__cause__, Exception) else None


def _explained(error: BaseException, main: Path, root: Path, stack: str) -> ProgramError:
    """Convert `error` to a ProgramError with source position and remedy, without a traceback."""
    *causes, error = _causes(error)
    error = next((cause for cause in causes if isinstance(cause, pulumi.RunError)), error)
    if isinstance(error, pulumi.RunError) and not isinstance(error, ConfigMissingError | ConfigTypeError):
        text = str(error)  # the program's own message
        return SettingsError(text) if WRONG_SETTINGS.search(text) else ProgramError(text)
    where = _position(error, main, root)
    match error:
        case ConfigMissingError():
            return SettingsError(
                f"{where}: the setting {error.key} is missing",
                remedy=f"Set it under `config` in Pulumi.{stack}.yaml.",
            )
        case ConfigTypeError():
            return SettingsError(
                f"{where}: the setting {error.key} is {error.value!r}, not a valid {error.expect_type}",
                remedy=f"Fix it under `config` in Pulumi.{stack}.yaml.",
            )
        case ExitError():
            return ProgramError(
                f"{where}: the program ended itself with {error.call}",
                remedy="Let the program run to its end; to report an error, raise pulumi.RunError.",
            )
        case SystemExit():
            return ProgramError(
                f"{where}: the program ended itself with sys.exit({error.code!r})",
                remedy="Let the program run to its end; to report an error, raise pulumi.RunError.",
            )
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return ProgramError(
        f"{where}: the program raised {type(error).__name__}{f': {text}' if text else ''}",
        details=[f"{type(item).__name__}: {item}" for item in getattr(error, "exceptions", ())],
        remedy="Nothing was changed after that point. Fix the program and run the command again.",
    )


def _position(error: BaseException, main: Path, root: Path) -> str:
    """Return ``file:line`` of the innermost frame of the program, or else the program's file or folder."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_relative(error.filename, root)}:{error.lineno}"
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if is_program_file(frame.filename, main)
    ]
    if frames:
        return f"{_relative(frames[-1].filename, root)}:{frames[-1].lineno}"
    file = main / "__main__.py"
    return _relative(str(file if file.is_file() else main), root)


def _relative(path: str, root: Path) -> str:
    file = Path(path)
    return str(file.relative_to(root)) if file.is_relative_to(root) else path
