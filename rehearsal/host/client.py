"""Client of a stack's host: starts the supervisor if it is not running and calls it.

All methods are thread-safe; each call opens its own connection.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from rehearsal.host import rpc
from rehearsal.host.backups import Backup, Backups
from rehearsal.host.code_version import version
from rehearsal.host.desired_state import Desired, DesiredStore
from rehearsal.host.emulated_types import EMULATED_TYPES, EmulatedTypes
from rehearsal.host.errors import MachineError
from rehearsal.host.options import MachineOptions
from rehearsal.host.paths import Home
from rehearsal.host.processes import orphans
from rehearsal.host.processes.log_follow import follow_logs
from rehearsal.host.processes.ports import holder_pid, is_free, require_free
from rehearsal.host.status import HostStatus

_START_SECONDS = 30.0
# How long to wait for another supervisor that holds the lock, before trying to start one again.
_LOCK_SECONDS = 1.0
_BACKUP_SECONDS = 300.0
_STOP_SECONDS = 90.0
_MIN_FREE_BYTES = 200 * 1024 * 1024


class Machine:
    """The host of one stack, obtained with `ensure` (starts it) or `find` (None if it is not running)."""

    EMULATED_TYPES: ClassVar[EmulatedTypes] = EMULATED_TYPES

    def __init__(self, home: Home) -> None:
        self._home = home
        self._calls = rpc.Calls()

    @classmethod
    def ensure(cls, root: Path, stack: str, options: MachineOptions, project_root: Path) -> Machine:
        """Return the running host of `root` (`.rehearsal/<stack>`): start, adopt or upgrade it.

        Idempotent and crash-safe. Raises MachineError before anything is started if the edge port is in use
        or the folder is not writable.
        """
        home = Home(root.absolute())
        machine = cls(home)
        running = machine._hello()
        if running is not None and running["version"] != version():
            machine._leave("hand_over")
            running = None
        if running is None:
            cls.preflight(root, options)
            machine._start(stack, options, project_root.absolute())
        elif (running["edge_port"], running["web_app"]) != (options.edge_port, options.web_app):
            machine._call("configure", edge_port=options.edge_port, web_app=options.web_app)
        return machine

    @classmethod
    def find(cls, root: Path) -> Machine | None:
        """Return the host of `root`; None if its supervisor is not running."""
        machine = cls(Home(root.absolute()))
        return machine if machine._hello() is not None else None

    @classmethod
    def preflight(cls, root: Path, options: MachineOptions) -> None:
        """Check platform, disk space, folder and port. Raises MachineError with every problem."""
        home = Home(root.absolute())
        reasons: list[str] = []
        if sys.platform == "win32":
            reasons.append("this platform is not supported: use Linux, macOS, or WSL on Windows")
        folder = home.machine
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free
        if free < _MIN_FREE_BYTES:
            reasons.append(
                f"{folder} has {free // 2**20} MB of free disk space: at least "
                f"{_MIN_FREE_BYTES // 2**20} MB are required"
            )
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            reasons.append(f"{folder} is not a writable folder")
        try:
            if not is_free(options.edge_port) and not _is_ours(home, options.edge_port):
                require_free(options.edge_port, "rehearsal:machine.edgePort")
        except MachineError as error:
            reasons += error.reasons
        if reasons:
            raise MachineError(reasons)

    # -- objects ------------------------------------------------------------------------------------------

    def apply(
        self, urn: str, type_: str, id_: str, inputs: dict[str, Any], *, timeout: float
    ) -> dict[str, Any]:
        """Create or update a desired object and wait up to `timeout` seconds until it is ready.

        `inputs` are plain JSON values. Returns the outputs that override simulated ones, in camelCase; {} if
        none. Raises MachineError with the reasons, including the last log lines of failing processes.
        """
        result = self._call(
            "apply",
            wait=timeout + 30.0,
            calls=self._calls,
            seconds=timeout,
            urn=urn,
            type_=type_,
            id_=id_,
            inputs=inputs,
        )
        return dict(result or {})

    def delete(self, urn: str, type_: str, id_: str) -> None:
        """Delete a desired object with its processes and data. Idempotent."""
        self._call("delete", urn=urn, type_=type_, id_=id_, wait=300.0)

    def read(self, urn: str, type_: str, id_: str) -> dict[str, Any] | None:
        """Return the outputs as `apply` returned them; None if the object does not exist."""
        result = self._call("read", urn=urn, type_=type_, id_=id_)
        return None if result is None else dict(result)

    def cancel(self) -> None:
        """Make every current and later `apply` raise MachineError immediately.

        The supervisor continues operations in progress; the next `apply` of the same object resumes them.
        """
        self._calls.cancel()

    def desired(self) -> list[Desired]:
        """Return the applied objects as declared."""
        return list(DesiredStore(self._home.objects))

    # -- backups ------------------------------------------------------------------------------------------

    def create_backup(self) -> Backup:
        """Create a consistent copy of all data. Raises MachineError."""
        return Backup(**self._call("create_backup", wait=_BACKUP_SECONDS))

    def backups(self) -> list[Backup]:
        """Return all backups, the oldest first."""
        return Backups(self._home.backups, self._home.data).list()

    def restore_backup(self, name: str = "", moment: float | None = None) -> Backup:
        """Restore a backup, wait until all objects are ready, and return the backup.

        Selects the backup by `name`, or the latest taken at or before `moment` (seconds since the epoch), or
        the latest. Raises MachineError.
        """
        return Backup(**self._call("restore_backup", name=name, moment=moment, wait=_BACKUP_SECONDS))

    def data_folder(self, name: str) -> Path:
        """Return the data folder of a backend such as `mongodb`."""
        return self._home.data / name

    # -- state ----------------------------------------------------------------------------------------

    def status(self) -> HostStatus:
        return HostStatus.from_json(self._call("status"))

    def autoscaler_trace(self, name: str) -> dict[str, Any]:
        """Return the recorded syncs of the autoscaler NAMESPACE/NAME as a trace. Raises MachineError."""
        return dict(self._call("autoscaler_trace", name=name))

    def waiting(self) -> list[str]:
        """Return the declared objects that are not ready, with reasons; [] when all are ready."""
        return list(self._call("waiting"))

    def logs(self, name: str | None = None, lines: int = 100, follow: bool = False) -> Iterator[str]:
        """Yield the last `lines` of every log whose name contains `name`.

        `follow` continues with new lines.
        """
        return follow_logs(self._home.logs, name, lines, follow)

    def stop(self) -> None:
        """Stop all processes and the supervisor. Objects and data remain below `.rehearsal/`."""
        self._leave("stop")
        orphans.end(self._home.root)

    # -- calls to the supervisor -----------------------------------------------------------------------

    def _call(
        self, method: str, wait: float | None = 60.0, calls: rpc.Calls | None = None, **params: Any
    ) -> Any:
        try:
            return rpc.call(self._home.socket, method, params, wait, calls)
        except rpc.CancelledError as error:
            raise MachineError("interrupted") from error
        except TimeoutError as error:
            raise MachineError(
                f"the supervisor did not respond to {method} within {wait:g} s: "
                f"see {self._home.supervisor_log}"
            ) from error
        except (OSError, ValueError) as error:
            raise MachineError(
                f"the supervisor is not running ({error}): run `kingdom up` again, which adopts the running "
                f"processes; its log is {self._home.supervisor_log}"
            ) from error

    def _hello(self) -> dict[str, Any] | None:
        with suppress(OSError, ValueError, MachineError):
            return dict(rpc.call(self._home.socket, "hello", {}, 10.0))
        return None

    def _leave(self, method: str) -> None:
        """Call `method`, which stops the supervisor, and wait until it has exited."""
        hello = self._hello()
        if hello is None:
            return
        with suppress(OSError, ValueError):
            rpc.call(self._home.socket, method, {}, 10.0)
        ends = time.monotonic() + _STOP_SECONDS
        while _runs(hello["pid"]):
            if time.monotonic() > ends:
                raise MachineError(f"the supervisor (pid {hello['pid']}) has not exited: see its log")
            time.sleep(0.02)

    def _start(self, stack: str, options: MachineOptions, project: Path) -> None:
        """Start the supervisor and wait until one responds.

        While another one holds the lock, which may be stopping its processes, it is started again.
        """
        command = [sys.executable, "-m", "rehearsal.host.supervisor"]
        command += [str(self._home.root), stack, str(project), str(options.edge_port), options.web_app]
        self._home.make()
        ends = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < ends:
            reported = self._spawn(command, project)
            if "error" in reported:
                raise MachineError([*reported["error"], f"its log is {self._home.supervisor_log}"])
            if self._responds_within(_START_SECONDS if "ready" in reported else _LOCK_SECONDS):
                return
        raise MachineError(f"the supervisor is not responding: see {self._home.supervisor_log}")

    def _spawn(self, command: list[str], project: Path) -> dict[str, Any]:
        """Start a supervisor process and return the line that it prints."""
        marks = {orphans.ROOT_MARK, orphans.INSTANCE_MARK}
        with self._home.supervisor_log.open("ab") as log:
            child = subprocess.Popen(
                command,
                cwd=project,
                env={name: value for name, value in os.environ.items() if name not in marks},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        # Reaps the child when it exits during the lifetime of this process.
        threading.Thread(target=child.wait, daemon=True).start()
        assert child.stdout
        with child.stdout as stream:
            line = stream.readline()
        return dict(json.loads(line)) if line else {"error": ["the supervisor exited immediately"]}

    def _responds_within(self, seconds: float) -> bool:
        ends = time.monotonic() + seconds
        while (hello := self._hello()) is None and time.monotonic() < ends:
            time.sleep(0.02)
        return hello is not None


def _is_ours(home: Home, port: int) -> bool:
    """Return whether a process of this host listens on `port`, which will be adopted."""
    pid = holder_pid(port)
    return pid is not None and any(pid == marked for marked, _ in orphans.marked(home.root))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with suppress(OSError):
        # A zombie has exited, but its parent (PID 1 of a container, for example) does not reap it.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True
