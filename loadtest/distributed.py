"""Load test with several processes: `python -m loadtest.distributed` in every pod of an indexed Job.

Pod 0 coordinates, the others are Locust workers with one dispatching user each. A worker reports that its
accounts are prepared; when all have reported, the coordinator starts all schedules. It merges the results and
prints them as one line of JSON. Exit codes: those of `kingdom load`.
"""

from __future__ import annotations

import json
import logging
import os
import random
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

# Locust replaces sockets and threads with gevent's, which must happen before other modules import them.
import locust  # noqa: F401

# isort: split
import gevent
from gevent.event import Event
from locust.env import Environment

from loadtest.distributed_settings import NotAllowedError, PodSettings, credentials, read, require_allowed
from loadtest.generator.dispatcher import Plan, ScheduledUser
from loadtest.generator.recorder import Recorder, as_json
from loadtest.targets import Finding, evaluate
from rehearsal.scenarios.catalog import Catalog, Scenario, ScenarioError, load
from rehearsal.scenarios.rate_curve import RateCurve

PASSED, MISSED, INVALID = 0, 1, 3
WARM_UP_SECONDS: Final = 10
ACCOUNTS_PER_WORKER: Final = 24
_CONNECT_SECONDS: Final = 300.0
_PREPARE_SECONDS: Final = 300.0
_RESULT_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.2
PREPARED, BEGIN, RESULT, FAILED = "prepared", "begin", "result", "failed"


class RunFailedError(Exception):
    """A load test that did not complete with all workers; its figures are invalid."""


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Run the process of this pod and return the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        settings, catalog = read(environ), load()
        scenario = require_allowed(settings, catalog)
        if settings.index:
            return work(settings, catalog, scenario)
        report = coordinate(settings, catalog, scenario)
    except (NotAllowedError, ScenarioError, RunFailedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return INVALID
    print(json.dumps(report.as_json()), flush=True)
    return report.exit_code


def rates(settings: PodSettings, catalog: Catalog, scenario: Scenario) -> RateCurve:
    """Return the arrivals per second over the run, of all workers together."""
    return scenario.users(settings.seconds).scaled(settings.scale / catalog.seconds_per_request)


# -- the coordinator ---------------------------------------------------------------------------------------


@dataclass
class Report:
    """The merged results of all workers."""

    settings: PodSettings
    rates: RateCurve
    recorder: Recorder
    began: float = 0.0
    invalid: list[str] = field(default_factory=list)

    def findings(self) -> list[Finding]:
        """Evaluate the results against the targets, without the warm-up.

        Availability is evaluated in the recorder's steps.
        """
        step, last = self.settings.resolution, int(self.rates.seconds)
        windows = [self.recorder.window(at, at + step) for at in range(self.first, last, step)]
        total = self.recorder.window(self.first, last)
        return evaluate(total, windows, self.rates.expected(), self.settings.scale)

    @property
    def first(self) -> int:
        """Return the first second after the warm-up."""
        return WARM_UP_SECONDS if self.rates.seconds > 2 * WARM_UP_SECONDS else 0

    @property
    def exit_code(self) -> int:
        """Return the exit code: 0, 1 or 3."""
        if self.invalid:
            return INVALID
        return PASSED if all(each.holds for each in self.findings()) else MISSED

    def as_json(self) -> dict[str, Any]:
        """Return the report."""
        step, last = self.settings.resolution, int(self.rates.seconds)
        first = self.first
        return {
            "kind": "distributed run",
            "environment": self.settings.environment,
            "scenario": self.settings.scenario,
            "workers": self.settings.workers,
            "began": datetime.fromtimestamp(self.began, UTC).isoformat(timespec="seconds"),
            "invalid": self.invalid,
            "findings": [vars(each) for each in self.findings()],
            "total": as_json(self.recorder.window(first, last)),
            "endpoints": {
                name: as_json(self.recorder.window(first, last, name)) for name in self.recorder.endpoints
            },
            "windows": [
                {"at": at, **as_json(self.recorder.window(at, at + step))} for at in range(0, last, step)
            ],
        }


def coordinate(settings: PodSettings, catalog: Catalog, scenario: Scenario) -> Report:
    """Run the load test with the workers that connect. Raises RunFailedError."""
    schedule = rates(settings, catalog, scenario)
    report = Report(settings, schedule, Recorder(settings.resolution))
    environment = Environment(user_classes=[_user(Plan(schedule, {}, 0, 0))], host=settings.target)
    runner = environment.create_master_runner("*", settings.coordinator_port)
    prepared: set[str] = set()
    results: set[str] = set()
    failures: list[str] = []

    def received(environment: Environment, msg: Any, **rest: Any) -> None:
        if msg.type == FAILED:
            failures.append(str(msg.data["reason"]))
        elif msg.type == PREPARED:
            prepared.add(msg.node_id)
        elif msg.node_id not in results:
            report.recorder.add(msg.data["recorded"])
            report.invalid += [f"worker {msg.data['index']}: {each}" for each in msg.data["problems"]]
            results.add(msg.node_id)

    for name in (PREPARED, RESULT, FAILED):
        runner.register_message(name, received)

    def wait(what: str, seconds: float, done: Callable[[], bool], *, connected: bool = True) -> None:
        ends = time.monotonic() + seconds
        while not done():
            # Locust drops a worker a minute after its last heartbeat.
            lost = connected and len(runner.clients) < settings.workers
            if failures or lost or time.monotonic() > ends:
                reason = "; ".join(failures) or ("a worker was lost" if lost else f"not within {seconds:g} s")
                raise RunFailedError(f"{what}: {reason}")
            gevent.sleep(_POLL_SECONDS)

    everyone = settings.workers
    try:
        wait(
            f"{everyone} workers connect", _CONNECT_SECONDS,
            lambda: len(runner.clients.ready) >= everyone, connected=False,
        )  # fmt: skip
        runner.start(everyone, everyone)
        wait("the accounts are prepared", _PREPARE_SECONDS, lambda: len(prepared) >= everyone)
        report.began = time.time()
        runner.send_message(BEGIN, {})
        wait("results", schedule.seconds + _RESULT_SECONDS, lambda: len(results) >= everyone)
    finally:
        runner.quit()
    if not report.recorder.window(0, int(schedule.seconds)).arrivals:
        report.invalid.append("no request was sent")
    return report


# -- a worker ----------------------------------------------------------------------------------------------


def work(settings: PodSettings, catalog: Catalog, scenario: Scenario) -> int:
    """Send this worker's share of the requests and report the result. Raises NotAllowedError."""
    begin, ended = Event(), Event()
    plan = Plan(
        rates(settings, catalog, scenario), catalog.mix(scenario.mix), ACCOUNTS_PER_WORKER,
        seed=random.SystemRandom().randrange(1_000_000), share=1 / settings.workers, index=settings.index,
        credentials=credentials(settings), recorder=Recorder(settings.resolution),
    )  # fmt: skip
    _await_name(settings.coordinator)
    environment = Environment(user_classes=[_user(plan)], host=settings.target)
    runner = environment.create_worker_runner(settings.coordinator, settings.coordinator_port)

    def started(environment: Environment, msg: Any, **rest: Any) -> None:
        begin.set()

    def ready() -> None:
        runner.send_message(PREPARED, {})
        if not begin.wait(_PREPARE_SECONDS):
            raise RunFailedError(f"the coordinator did not start the schedule within {_PREPARE_SECONDS:g} s")

    def failed(user_instance: Any, exception: BaseException, tb: Any, **rest: Any) -> None:
        plan.error = str(exception) or type(exception).__name__
        runner.send_message(FAILED, {"reason": f"worker {settings.index}: {plan.error}"})

    def finished() -> None:
        recorded = {"index": settings.index, "problems": plan.health.problems()}
        runner.send_message(RESULT, {**recorded, "recorded": plan.recorder.to_message()})
        ended.set()

    plan.ready, plan.finished = ready, finished
    runner.register_message(BEGIN, started)
    environment.events.user_error.add_listener(failed)
    # The coordinator stops the runner, at the end and on failure.
    runner.greenlet.join()
    return PASSED if ended.is_set() and not plan.error else INVALID


def _user(plan: Plan) -> type[ScheduledUser]:
    """Return the user class, which has the same name in all processes."""
    return type("Dispatcher", (ScheduledUser,), {"plan": plan, "abstract": False})


def _await_name(host: str) -> None:
    """Wait until the coordinator's DNS name exists, which requires its pod to have started."""
    ends = time.monotonic() + _CONNECT_SECONDS
    while True:
        try:
            socket.getaddrinfo(host, None)
        except socket.gaierror as error:
            if time.monotonic() > ends:
                raise NotAllowedError(f"the coordinator {host} cannot be resolved: {error}") from error
            gevent.sleep(1.0)
        else:
            return


if __name__ == "__main__":
    sys.exit(main())
