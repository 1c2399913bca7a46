"""Parallel previews: the SDKs are imported in one process, which then forks a child for each stack.

A preview is mostly the import of the SDKs, so four stacks cost little more than one. The parent forks before
it starts a thread or connection, with the cyclic collector off, which would copy every page; each child runs
as `kingdom preview` of that stack would, and sends its outcome back.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import itertools
import math
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Container, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from rehearsal import crash_log, interrupts
from rehearsal.engine.events import Listener, Result, Silent, Step
from rehearsal.errors import KingdomError
from rehearsal.pulumi import gc_pause, sdk_imports
from rehearsal.pulumi.project import Project

if TYPE_CHECKING:
    from rehearsal.policy.pack_info import PackInfo
    from rehearsal.policy.pack_process import PackProcess
    from rehearsal.session import Evaluation, Session

# A pack takes as long to import as two plans take.
_PACKS_PER_JOB: Final = 2
_PACK_START_SECONDS: Final = 0.5  # interval between the starts of two packs, which import SDKs meanwhile
_CLEAN, _FAILED, _VIOLATED, _INTERRUPTED = 0, 1, 3, 130
# For the secrets of a state, and for certificates among the generated outputs.
_CRYPTOGRAPHY: Final = (
    "cryptography.hazmat.primitives.ciphers.aead",
    "cryptography.hazmat.primitives.serialization",
    "cryptography.x509",
)
_PROGRESS_SECONDS: Final = 0.1  # min interval between two messages of a job
_SILENT_SECONDS: Final = 1.0  # progress is reported at this interval where no job sends a message


@dataclass(frozen=True)
class Job:
    """One stack of one checkout.

    `policies` is the folder of the policy pack; None for none. The plan is made against the state in the
    folder `state`, by default that of the project; another folder has its passphrase beside the state. With
    `apply` the plan is also applied to that state, in rehearsal clouds only: no process is started on this
    machine. `policy_config` replaces the ``policies:`` keys of the stack file for the pack. The plan is
    evaluated by the rules of `compared` too: the same job with other `policies` and `policy_config`.
    """

    project: Project
    stack: str
    policies: Path | None
    state: Path | None = None
    apply: bool = False
    policy_config: Mapping[str, str] | None = None
    compared: Job | None = None

    @property
    def rules(self) -> Hashable:
        """The pack and what it is started with; equal for jobs that can use the same pack process."""
        config = None if self.policy_config is None else tuple(sorted(self.policy_config.items()))
        return self.project.root, self.stack, self.policies, self.apply, config


# Receives a job and the number of its steps that ended since the last call.
OnProgress = Callable[[Job, int], None]


@dataclass(frozen=True)
class Outcome:
    """Outcome of a job: a `result`, or an `error`.

    A job with `compared` has the outcome of that too, and the description of the `pack`; None if the pack did
    not start.
    """

    job: Job
    result: Result | None
    error: KingdomError | None
    seconds: float
    pack: PackInfo | None = None
    compared: Outcome | None = None

    @property
    def exit_code(self) -> int:
        """The exit code of `kingdom preview` of this stack alone."""
        if self.error is not None:
            return self.error.exit_code
        return _FAILED if self.result is None else exit_code(self.result)


def exit_code(result: Result) -> int:
    """Return the command line's exit code for `result`."""
    if result.interrupted:
        return _INTERRUPTED
    if result.errors:
        return _FAILED
    return _VIOLATED if result.mandatory else _CLEAN


def worst(outcomes: Sequence[Outcome]) -> int:
    """Return the exit code of all: an error before a violation, unusable input before any other error."""
    order = (_INTERRUPTED, 2, _FAILED, _VIOLATED, _CLEAN)
    codes = {outcome.exit_code for outcome in outcomes}
    return next((code for code in order if code in codes), max(codes, default=_CLEAN))


def preview_all(
    jobs: Sequence[Job],
    *,
    progress: OnProgress | None = None,
    parallel: int | None = None,
    packs: Packs | None = None,
) -> list[Outcome]:
    """Return the outcomes of `jobs` in their order.

    At most `parallel` jobs run at the same time, by default one per core. A failed job does not affect the
    others. No other thread may run in this process when this is called. `progress` is called after all forks,
    with a job and the number of its steps that ended since the last call. `packs` has policy packs that were
    started earlier, for these or later jobs. Ctrl-C and SIGTERM end the children, then raise
    KeyboardInterrupt.
    """
    parallel = parallel or os.cpu_count() or 1
    with interrupts.terminable(), gc_pause.off(), contextlib.ExitStack() as stack:
        if packs is None:
            packs = stack.enter_context(Packs())
        packs.start(jobs, parallel)
        classes: list[type] = []
        for main in sorted({job.project.main for job in jobs}):
            with contextlib.suppress(KingdomError):  # the job reports it
                classes += sdk_imports.warm(main, packs.proceed)
        _import_own(classes)
        packs.finish()
        gc.freeze()  # otherwise the first collection after this scans all SDKs, which takes half a second
        return _ChildProcesses(jobs, progress, packs).run(parallel)


def _import_own(classes: Iterable[type]) -> None:
    """Import the modules that every child needs, and read the types of the resource `classes`."""
    import rehearsal.engine.program.runner
    import rehearsal.policy.pack
    import rehearsal.providers
    import rehearsal.session

    for package in rehearsal.providers.CLOUDS:
        rehearsal.providers.provider(package)
    for cls in classes:
        with contextlib.suppress(Exception):  # an SDK that cannot be read: the job reports it
            rehearsal.providers.read_types(cls)
    for name in _CRYPTOGRAPHY:
        importlib.import_module(name)


class Packs:
    """Policy packs of jobs, started early: they import their SDKs while this process imports the program's.

    They start one after the other, so that this process has a core of its own. A context manager that ends
    them.
    """

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self._started = -math.inf
        self._unused: dict[Hashable, PackProcess] = {}
        self._used: list[PackProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pack in (*self._unused.values(), *self._used):
            pack.end()
            pack.release()

    def start(self, jobs: Sequence[Job], parallel: int | None = None) -> None:
        """Start the first pack of `jobs`; :meth:`proceed` and :meth:`finish` start the others.

        Only as many are started as are useful for `parallel` jobs at a time.
        """
        for job in jobs[: _PACKS_PER_JOB * (parallel or os.cpu_count() or 1)]:
            self._waiting += (job,) if job.compared is None else (job, job.compared)
        self.proceed()

    def proceed(self) -> None:
        """Start the next pack, if the one before had time to import its SDKs."""
        while self._waiting and time.monotonic() - self._started > _PACK_START_SECONDS:
            self._start(self._waiting.popleft())

    def finish(self) -> None:
        """Start all packs that were not started yet."""
        while self._waiting:
            self._start(self._waiting.popleft())

    def _start(self, job: Job) -> None:
        if job.policies is None or job.rules in self._unused:
            return
        with contextlib.suppress(KingdomError):  # the job reports it
            pack = _session(job).start_pack(dry_run=not job.apply)
            if pack is not None:
                self._unused[job.rules] = pack
                self._started = time.monotonic()

    def take(self, job: Job) -> PackProcess | None:
        """Return the pack that was started for `job`, once; None if there is none."""
        pack = self._unused.pop(job.rules, None)
        if pack is not None:
            self._used.append(pack)
        return pack

    def release(self, keep: Container[PackProcess | None]) -> None:
        """In a forked process, leave all packs but `keep` to other processes."""
        for pack in (*self._unused.values(), *self._used):
            if pack not in keep:
                pack.release()


class _ChildProcesses:
    """Child processes of one call, which send their progress, then an outcome each."""

    def __init__(
        self,
        jobs: Sequence[Job],
        progress: OnProgress | None,
        packs: Packs,
    ) -> None:
        self._jobs = jobs
        self._progress = progress
        self._all_packs = packs
        self._packs = [
            (packs.take(job), None if job.compared is None else packs.take(job.compared)) for job in jobs
        ]
        self._outcomes: dict[int, Outcome] = {}
        self._children: dict[int, int] = {}  # process id by the job's index

    def run(self, parallel: int) -> list[Outcome]:
        # All children are forked before any message is received; each starts when it receives a token.
        take, put = os.pipe()
        ours: dict[Connection, int] = {}
        try:
            for index in range(len(self._jobs)):
                ours[self._fork(index, take)] = index
                if index < parallel:
                    os.write(put, b".")
            for pack in itertools.chain(*self._packs):
                if pack is not None:
                    pack.release()
            while ours:
                for ready in self._wait(ours):
                    assert isinstance(ready, Connection)
                    if not self._receive(ready, ours[ready]):
                        os.write(put, b".")  # before the ended child has freed its memory
                        self._reap(ours.pop(ready))
        except BaseException:
            self._end()
            raise
        finally:
            os.close(take)
            os.close(put)
        return [self._outcomes[index] for index in range(len(self._jobs))]

    def _fork(self, index: int, tokens: int) -> Connection:
        theirs, ours = Pipe(duplex=False)
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            theirs.close()
            self._all_packs.release(self._packs[index])
            _work(self._jobs[index], ours, tokens, self._packs[index], quiet=self._progress is None)
        ours.close()
        self._children[index] = child
        return theirs

    def _wait(self, ours: Mapping[Connection, int]) -> list[Any]:
        while not (ready := wait(list(ours), _SILENT_SECONDS)):
            if self._progress is not None:
                for index in ours.values():
                    self._progress(self._jobs[index], 0)
        return ready

    def _receive(self, connection: Connection, index: int) -> bool:
        """Receive one message of the job; return False if it was the last."""
        job = self._jobs[index]
        try:
            message = connection.recv()
        except EOFError:
            connection.close()
            return False
        if isinstance(message, tuple):
            self._outcomes[index] = _outcome(job, *message)
        elif self._progress is not None:
            self._progress(job, message)
        return True

    def _reap(self, index: int) -> None:
        _, status = os.waitpid(self._children.pop(index), 0)
        if index not in self._outcomes:
            job = self._jobs[index]
            code = os.waitstatus_to_exitcode(status)
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
            error = KingdomError(
                f"the process that previewed {job.stack} {how} without a result",
                remedy="Run it alone to see more: memory may have run out.",
            )
            self._outcomes[index] = Outcome(job, None, error, 0.0)

    def _end(self) -> None:
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
        for child in self._children.values():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


def _outcome(job: Job, seconds: float, own: Evaluation, other: Evaluation | None) -> Outcome:
    compared = None
    if other is not None and job.compared is not None:
        compared = Outcome(job.compared, other.result, other.error, seconds, other.pack)
    return Outcome(job, own.result, own.error, seconds, own.pack, compared)


class _Counter(Silent):
    """Listener in a child that sends the number of ended steps to the parent, several times in a second."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._unsent = 0
        self._sent = time.monotonic()

    def done(self, step: Step) -> None:
        self._count()

    def failed(self, step: Step, reason: str) -> None:
        self._count()

    def _count(self) -> None:
        with self._lock:
            self._unsent += 1
            if time.monotonic() - self._sent > _PROGRESS_SECONDS:
                self._send()

    def close(self) -> None:
        """Send the rest; nothing is sent afterwards, even if a thread still reports steps."""
        with self._lock:
            self._send()
            self._sent = math.inf

    def _send(self) -> None:
        self._connection.send(self._unsent)
        self._unsent, self._sent = 0, time.monotonic()


def _work(
    job: Job,
    connection: Connection,
    tokens: int,
    packs: tuple[PackProcess | None, PackProcess | None],
    *,
    quiet: bool,
) -> None:
    """Run a job in a child. Never returns: exit handlers of the parent must not run twice."""
    # Garbage of the parent is not collected here: finalizers may wait for threads that only the parent has.
    gc.freeze()
    # Ctrl-C reaches all processes of a terminal: the parent ends its children.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    listener = Silent() if quiet else _Counter(connection)
    os.read(tokens, 1)
    began = time.monotonic()
    from rehearsal.session import Evaluation

    own = Evaluation(None, None, None)
    other: Evaluation | None = None
    code = 1
    try:
        try:
            _move_to(job.project)
            own, other = _carried_out(job, listener, packs)
        except KingdomError as caught:
            own = replace(own, error=caught)
        except Exception as caught:
            error = crash_log.internal(caught, job.state or job.project.state_folder(job.stack))
            own = replace(own, error=error)
        if isinstance(listener, _Counter):
            listener.close()
        connection.send((time.monotonic() - began, own, other))
        connection.close()
        code = 0
    finally:
        os._exit(code)


def _move_to(project: Project) -> None:
    """Import the program's modules from `project`, which may be another checkout than this one."""
    root = str(project.root)
    sys.path.insert(0, root)
    os.environ["PYTHONPATH"] = os.pathsep.join(
        part for part in (root, os.environ.get("PYTHONPATH", "")) if part
    )
    package = project.main.name
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]


def _session(job: Job, pack: PackProcess | None = None) -> Session:
    from rehearsal.session import Session

    return Session(
        job.project,
        job.stack,
        policies=job.policies,
        state=job.state,
        policy_config=job.policy_config,
        pack_process=pack,
    )


def _carried_out(
    job: Job, listener: Listener, packs: tuple[PackProcess | None, PackProcess | None]
) -> tuple[Evaluation, Evaluation | None]:
    from rehearsal.session import Evaluation

    session = _session(job, packs[0])
    if job.compared is not None:
        return session.compare(listener, _session(job.compared, packs[1]))
    result = session.apply(listener) if job.apply else session.preview(listener)
    return Evaluation(result, None, None), None
