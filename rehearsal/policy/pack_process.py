"""Start the process of a policy pack; the process that evaluates with it may be a fork of this one.

The process is the one that the CLI's Python language host runs (``pulumi-language-python``, ``RunPlugin``
with kind ``analyzer``): ``python -u -m pulumi.policy ENGINE_ADDRESS PACK`` in the pack's folder, with
``PULUMI_PROJECT``, ``PULUMI_STACK``, ``PULUMI_DRY_RUN``, ``PULUMI_ORGANIZATION`` and ``PULUMI_CONFIG`` in its
environment.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rehearsal.policy.pack_files import PolicyPackError, manifest_of, python_of

_END_SECONDS: Final = 2.0
# The same program as `-m pulumi.policy`, plus a thread that ends it when this process closes its end of the
# pipe, whose file descriptor is an argument. The kernel closes that end even after SIGKILL, so the pack never
# outlives this process. Standard input is not usable for that, since packs may read it. gRPC's log on stderr
# contains the position of an exception.
_BOOT: Final = """
import logging, os, runpy, sys, threading
lifeline = int(sys.argv.pop(1))
def watch():
    os.read(lifeline, 1)
    os._exit(70)
threading.Thread(target=watch, daemon=True).start()
logging.getLogger("grpc").addHandler(logging.StreamHandler())
runpy.run_module("pulumi.policy", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True)
class PackContext:
    """The stack that a pack evaluates.

    `config` maps full keys (``kingdom:network``) to values as the CLI passes them: strings, JSON for objects.
    """

    project: str
    stack: str
    dry_run: bool
    config: Mapping[str, str]
    organization: str = "organization"


class PackProcess:
    """A started process of the pack at `path`. Closing its pipe ends it. Starts no thread."""

    def __init__(
        self, path: Path, manifest: Mapping[str, Any], process: subprocess.Popen[bytes], lifeline: int
    ) -> None:
        self.path = path
        self.manifest = manifest
        self.process = process
        self._lifeline = lifeline
        self._parent = os.getpid()

    @classmethod
    def start(cls, path: Path, context: PackContext, engine_address: str = "127.0.0.1:0") -> PackProcess:
        """Start the pack and return at once. Raises PolicyPackError without a pack at `path`."""
        path = path.resolve()
        manifest = manifest_of(path)
        python = python_of(path, manifest)
        env = {
            **os.environ,
            "PULUMI_PROJECT": context.project,
            "PULUMI_STACK": context.stack,
            "PULUMI_DRY_RUN": "true" if context.dry_run else "false",
            "PULUMI_ORGANIZATION": context.organization,
            "PULUMI_CONFIG": json.dumps(dict(context.config)),
            # The pack imports its own package, even if another checkout of it is installed.
            "PYTHONPATH": os.pathsep.join(filter(None, (str(path.parent), os.environ.get("PYTHONPATH", "")))),
        }
        theirs, ours = os.pipe()
        try:
            process = subprocess.Popen(
                [str(python), "-u", "-c", _BOOT, str(theirs), engine_address, str(path)],
                cwd=path,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(theirs,),
                # Ctrl-C is handled by this process, which ends the pack.
                start_new_session=True,
            )
        except OSError as error:
            os.close(ours)
            raise PolicyPackError(f"cannot run {python} for the policy pack {path}: {error}") from None
        finally:
            os.close(theirs)
        return cls(path, manifest, process, ours)

    @property
    def open(self) -> bool:
        """Whether this process still has the pipe open."""
        return self._lifeline >= 0

    def release(self) -> None:
        """Leave the pack to the other process that has its pipe: close the files of this one."""
        if self.open:
            os.close(self._lifeline)
            self._lifeline = -1
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def cut(self) -> bool:
        """Close the pipe, which ends the pack; return whether it was open."""
        if not self.open:
            return False
        os.close(self._lifeline)
        self._lifeline = -1
        return True

    def end(self) -> None:
        """Close the pipe and wait until the process has ended; kill it after a timeout.

        In a process forked after the start this only closes the pipe: the parent waits.
        """
        self.cut()
        if os.getpid() != self._parent:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def exit_code(self) -> int | None:
        """Return the exit code of an ended process; None while it runs, and in a fork."""
        if os.getpid() != self._parent:
            return None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=_END_SECONDS)
        return self.process.returncode
