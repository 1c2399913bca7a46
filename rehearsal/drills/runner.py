"""Runner of drills: load, fault, recovery, final reads, checks."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from rehearsal.drills.catalog import Drill
from rehearsal.drills.checkers import (
    CheckResult,
    bank,
    monotonic_states,
    one_effect_per_key,
    read_your_writes,
    set_full,
    total_queue,
    writes_in_flight,
)
from rehearsal.drills.faults import HANG_SECONDS, Platform
from rehearsal.drills.history import Completion, History, RecordedOperation
from rehearsal.drills.measurements import Measurements, measure, within_targets
from rehearsal.drills.workload import PRICE_CENTS, WRITES, Client, DrillTarget
from rehearsal.host.client import Machine
from rehearsal.host.errors import MachineError

# REL1: recovery in less than five minutes.
RECOVERY_SECONDS = 300.0
# docs/failure-modes.md: a dependency is used again within 30 s of its return.
USED_AGAIN_SECONDS = 30.0
_HEALTHY_SECONDS, _WARM_SECONDS, _START_SECONDS, _SETTLE_SECONDS = 120.0, 12.0, 60.0, 120.0
_WATCH_SECONDS = 0.2
_DONE_STATES = ("queued", "ready")
# Seconds for which pods may serve cached values while Redis is unavailable (docs/failure-modes.md).
_STALENESS_SECONDS = 2.0
# A fault that ends at once, such as a kill, has effect for at least this long.
_MIN_EFFECT_SECONDS = 1.0


class DrillError(Exception):
    """A drill that cannot run; the message states the reason and the remedy."""


@dataclass(frozen=True)
class DrillOptions:
    """How a drill is run.

    `pause` is the mean time between the operations of one client, `hang_seconds` the duration of a hang.
    `administrator` gives an account the role that may record payments, and returns whether it succeeded.
    """

    target: DrillTarget
    administrator: Callable[[str], bool]
    seed: int = 0
    clients: int = 8
    pause: float = 0.25
    hang_seconds: float = HANG_SECONDS
    notice: Callable[[str], None] = lambda text: None


@dataclass(frozen=True)
class DrillResult:
    """The result of a drill.

    `lost_since_backup` counts writes after the backup that a restore cannot contain. `hangs`: a dependency
    hung, and must be used again soon after.
    """

    name: str
    seed: int
    measurements: Measurements
    checks: list[CheckResult]
    fault_seconds: float
    operations: int
    lost_since_backup: int | None = None
    hangs: bool = False
    history: History = field(default_factory=History, repr=False)

    @property
    def problems(self) -> list[str]:
        """Return why the drill failed; [] if it passed."""
        found = [
            f"{check.name}: {problem}"
            for check in self.checks
            if not check.valid
            for problem in check.problems or ["unknown"]
        ]
        recovered = self.measurements.recovered
        if recovered is None or recovered > RECOVERY_SECONDS:
            found.append("the targets (TGT1, TGT3) did not hold again within 5 minutes (REL1)")
        used_again = self.measurements.used_again
        if self.hangs and (used_again is None or used_again > USED_AGAIN_SECONDS):
            found.append(f"requests failed for more than {USED_AGAIN_SECONDS:.0f} s after the hang")
        return found

    @property
    def passed(self) -> bool:
        """Whether every check is valid and recovery took less than five minutes."""
        return not self.problems


def run(drill: Drill, machine: Machine, options: DrillOptions) -> DrillResult:
    """Run a drill on a platform that is up. Raises DrillError, FaultError or MachineError.

    It begins when the platform is healthy, for which it waits two minutes: the autoscaler may be starting
    replicas because of an earlier load. After any interruption, the fault is undone and the load is stopped.
    """
    _await_health(machine, options)
    rng = random.Random(options.seed)  # noqa: S311 (drawn to be repeated, not to be secret)
    history = History()
    clients = [
        Client(number, options.target, history, random.Random(rng.random()), options.pause)  # noqa: S311
        for number in range(options.clients)
    ]
    _fund(clients, options)
    if drill.restores:
        options.notice("taking a backup")
        machine.create_backup()
    restore_point = time.monotonic()
    with _load(clients), _watch(machine) as watch:
        options.notice("load runs; waiting until the targets hold")
        _await_baseline(history)
        began = time.monotonic()
        watch.begin()
        options.notice(f"fault: {drill.summary}")
        with drill.fault(Platform(machine, rng, options.hang_seconds)):
            pass
        fault_ended = time.monotonic()
        options.notice("fault is over; waiting for recovery")
        _await_recovery(machine, history, began, fault_ended)
    ended = time.monotonic()
    _settle(clients, options)
    checked = _since_restore(history, restore_point, fault_ended) if drill.restores else history
    found = measure(history, began, ended, watch.detected, fault_ended)
    effect = max(fault_ended, began + (found.recovered or 0.0), began + _MIN_EFFECT_SECONDS)
    return DrillResult(
        drill.name,
        options.seed,
        found,
        [*check(checked, _STALENESS_SECONDS), writes_in_flight(history, WRITES, began, effect)],
        fault_ended - began,
        len(history),
        _lost_since(history, restore_point) if drill.restores else None,
        drill.hangs,
        history,
    )


def _await_health(machine: Machine, options: DrillOptions) -> None:
    """Wait until every object is ready. Raises DrillError with what is not after two minutes."""
    ends = time.monotonic() + _HEALTHY_SECONDS
    if waiting := machine.waiting():
        options.notice(f"waiting until the platform is healthy: {waiting[0]}")
    while waiting:
        if time.monotonic() > ends:
            raise DrillError(
                f"the platform is not healthy after {_HEALTHY_SECONDS:.0f} s: {'; '.join(waiting[:3])}"
            )
        time.sleep(0.5)
        waiting = machine.waiting()


# -- load -------------------------------------------------------------------------------------------------


def _fund(clients: list[Client], options: DrillOptions) -> None:
    """Create accounts with a balance for all clients. Raises DrillError."""
    administrator = Client(
        len(clients),
        options.target,
        History(),
        random.Random(options.seed + 1),  # noqa: S311
        options.pause,
    )
    try:
        ready = administrator.sign_up() and options.administrator(administrator.email)
        if not (ready and administrator.sign_in()):
            raise DrillError("no account could get the administrator role: see `kingdom logs api`")
        for client in clients:
            if not (client.sign_up() and client.deposit(administrator)):
                raise DrillError("an account for the load could not be created: see `kingdom logs api`")
    finally:
        administrator.close()
    for operation in administrator.history:
        if operation.function == "deposit":
            clients[0].history.add(operation)


@contextmanager
def _load(clients: list[Client]) -> Iterator[None]:
    """Run all clients during the block."""
    enough = threading.Event()
    threads = [
        threading.Thread(target=client.work, args=(enough,), name=f"client {client.number}", daemon=True)
        for client in clients
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.join()


def _await_baseline(history: History) -> None:
    """Wait up to a minute for ten seconds within the targets; the drill continues in any case."""
    began = time.monotonic()
    while time.monotonic() < began + _START_SECONDS:
        time.sleep(1.0)
        now = time.monotonic()
        recent = [o for o in history if o.completed >= now - 10.0]
        if now - began >= _WARM_SECONDS and within_targets(recent):
            return


def _await_recovery(machine: Machine, history: History, began: float, fault_ended: float) -> None:
    """Wait until the platform is healthy and a window of the history is within the targets.

    Returns after at most 5 minutes, or later after a long fault.
    """
    ends = max(began + RECOVERY_SECONDS, fault_ended + 2 * USED_AGAIN_SECONDS)
    while time.monotonic() < ends:
        time.sleep(1.0)
        now = time.monotonic()
        recent = [o for o in history if max(fault_ended, now - 10.0) <= o.completed]
        if now - fault_ended < 10.0 or not within_targets(recent):
            continue
        try:
            if not machine.waiting():
                return
        except MachineError:
            continue


def _settle(clients: list[Client], options: DrillOptions) -> None:
    """Run the final reads: until every item is generated and every client has read back its writes.

    They begin when no cache can serve the state before the last write.
    """
    options.notice("load is over; reading everything back")
    current = time.monotonic() + _STALENESS_SECONDS
    ends = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < ends and any(client.unfinished() for client in clients):
        time.sleep(0.5)
    while time.monotonic() <= current:
        time.sleep(0.1)
    for client in clients:
        while not client.read_everything() and time.monotonic() < ends:
            time.sleep(0.5)
        client.close()


# -- detection --------------------------------------------------------------------------------------------


@dataclass
class _Watch:
    """Detects the first reaction of the platform: another process id, or a process that is not ready."""

    machine: Machine
    detected: float | None = None
    _before: dict[str, int | None] = field(default_factory=dict)
    _active: bool = False

    def begin(self) -> None:
        """Record the start of the fault."""
        self._before = self._ready()
        self._active = True

    def _ready(self) -> dict[str, int | None]:
        return {item.name: item.pid for item in self.machine.status().processes if item.ready}

    def look(self) -> None:
        """Compare with the state at the start of the fault."""
        if not self._active or self.detected is not None:
            return
        try:
            now = self._ready()
        except MachineError:
            return
        if any(now.get(name) != pid for name, pid in self._before.items()):
            self.detected = time.monotonic()


@contextmanager
def _watch(machine: Machine) -> Iterator[_Watch]:
    watch, enough = _Watch(machine), threading.Event()

    def run() -> None:
        while not enough.wait(_WATCH_SECONDS):
            watch.look()

    thread = threading.Thread(target=run, name="watch", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        enough.set()
        thread.join()


# -- checks -----------------------------------------------------------------------------------------------


def check(history: History, staleness: float) -> list[CheckResult]:
    """Run all checks on a history that `rehearsal.drills.workload` recorded.

    Lists and balances may show the state of `staleness` seconds before.
    """
    contents, orders = merged(history, "create"), merged(history, "order")
    ordered = [replace(o, function="ordered", value=o.result) for o in orders if o.outcome is Completion.OK]
    made = [replace(o, function="made", value=o.result) for o in contents if o.outcome is Completion.OK]
    gets = history.of("get")
    return [
        set_full(
            History([*contents, *history.of("list")]),
            "create",
            "list",
            "set-full: content",
            staleness,
        ),
        set_full(
            History([*ordered, *history.of("list-orders")]),
            "ordered",
            "list-orders",
            "set-full: orders",
            staleness,
        ),
        set_full(history, "event", "list-events", "set-full: events"),
        total_queue(
            History(
                [
                    # After a restore a job may exist that was acknowledged before it.
                    *(replace(o, function="enqueue", value=o.result) for o in contents if o.result),
                    *(_done(o) for o in gets if o.outcome is Completion.OK),
                ]
            ),
            "enqueue",
            "done",
            "total-queue: jobs",
        ),
        bank(_money(history, orders), "balance", "deposit", "spend", staleness=staleness),
        one_effect_per_key(history, "create", "idempotency: content"),
        one_effect_per_key(history, "order", "idempotency: orders"),
        read_your_writes(History([*made, *gets]), "made", "get"),
        monotonic_states(history, "get", _DONE_STATES),
    ]


def merged(history: History, function: str) -> list[RecordedOperation]:
    """Merge a write and its retries with the same key into one operation.

    It is ok if one was, and info if one may have taken effect. It lasts from the first invocation to the
    first acknowledgement.
    """
    groups: dict[tuple[int, object], list[RecordedOperation]] = {}
    for operation in history.of(function):
        groups.setdefault((operation.process, operation.value), []).append(operation)
    found = []
    for group in groups.values():
        acknowledged = [o for o in group if o.outcome is Completion.OK]
        unknown = [o for o in group if o.outcome is Completion.INFO]
        last = min(acknowledged, key=lambda o: o.completed) if acknowledged else (unknown or group)[-1]
        found.append(replace(last, invoked=group[0].invoked))
    return found


def _money(history: History, orders: list[RecordedOperation]) -> History:
    """Return deposits, purchases as (account, price), and balances."""
    accounts = {o.process: o.result["account"]["id"] for o in history.of("sign-in") if o.result}
    spent = (replace(o, function="spend", value=(accounts.get(o.process, ""), PRICE_CENTS)) for o in orders)
    read = (o for o in history.of("balance") if o.outcome is Completion.OK)
    return History([*history.of("deposit"), *spent, *read])


def _done(operation: RecordedOperation) -> RecordedOperation:
    return replace(operation, function="done", result=int(operation.result == "ready"))


def _since_restore(history: History, point: float, restored: float) -> History:
    """Return the history after a restore to `point`: later writes may be lost, and only later reads count."""
    operations = []
    for operation in history:
        if operation.function in {*WRITES, "deposit"}:
            unknown = (
                operation.outcome is Completion.OK
                and point < operation.completed
                and operation.invoked < restored
            )
            operations.append(replace(operation, outcome=Completion.INFO) if unknown else operation)
        elif operation.invoked >= restored or operation.function in {"sign-up", "sign-in"}:
            operations.append(operation)
    return History(operations)


def _lost_since(history: History, point: float) -> int:
    """Return acknowledged writes after the restore point that the last reads do not contain."""
    lists = {"create": "list", "order": "list-orders", "event": "list-events"}
    lost = 0
    for function, read in lists.items():
        last: dict[int, list[object]] = {o.process: o.result for o in history.of(read)}
        for operation in history.of(function):
            element = operation.result if function == "order" else operation.value
            if operation.outcome is Completion.OK and operation.completed > point:
                lost += element not in last.get(operation.process, [])
    return lost
