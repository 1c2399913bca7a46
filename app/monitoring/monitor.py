"""The `monitor` role: one run that writes a report and exports its findings as metrics.

A CronJob starts it in the cloud. Its metrics stay available for a few scrape intervals after the report.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, TypeVar

import msgspec
import structlog
from prometheus_client import CollectorRegistry, start_http_server

from app.google_auth import AccessTokens
from app.monitoring.prometheus import PrometheusSource
from app.monitoring.report import MonitoringReport, build, render
from app.monitoring.source import SourceError
from app.monitoring.trend_metrics import TrendMetrics
from app.settings import MonitorSettings, PrometheusAuth
from app.storage import StorageError, open_bucket

T = TypeVar("T")

log = structlog.get_logger()

_SCOPE: Final = "https://www.googleapis.com/auth/monitoring.read"


async def run(settings: MonitorSettings) -> int:
    """Evaluate the signals, export the findings, write the report, and wait for scrapes.

    Return 0 if the report was written, otherwise 1. SIGTERM and the deadline end the run at any point.
    """
    loop = asyncio.get_running_loop()
    stop, end = asyncio.Event(), loop.time() + settings.deadline
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    registry = CollectorRegistry()
    try:
        with _serving(settings, registry):
            report = await _until(stop, end, _evaluate(settings))
            if report is not None:
                # Exported before the report is written, so that alerts do not depend on the bucket.
                registry.register(TrendMetrics(report.findings, report.end))
                written = await _until(stop, end, _write(settings, report))
                if written is not None:
                    await _until(stop, min(end, loop.time() + settings.scrape), stop.wait())
                    return 0 if written else 1
    except SourceError as error:
        log.error("monitor failed: metrics source", error=str(error))
        return 1
    except OSError as error:
        log.error("monitor failed: port unavailable", port=settings.port, error=str(error))
        return 1
    reason = "SIGTERM" if stop.is_set() else f"the deadline of {settings.deadline:g} s"
    log.error("monitor stopped before the report was written", reason=reason)
    return 1


async def _evaluate(settings: MonitorSettings) -> MonitoringReport:
    """Return the report; it names the problem if no signal has a value. Raises SourceError."""
    report = await _in_thread(lambda: _built(settings))
    if report.plots:
        return report
    log.warning("no signal has a value", url=settings.prometheus_url)
    text = (
        "No signal had a value in the period: check that KINGDOM_PROMETHEUS_URL is that of this environment."
    )
    return replace(report, problems=[*report.problems, text])


def _built(settings: MonitorSettings) -> MonitoringReport:
    tokens = AccessTokens(_SCOPE) if settings.prometheus_auth is PrometheusAuth.GOOGLE else None
    source = PrometheusSource(settings.prometheus_url, token=None if tokens is None else tokens.token)
    with contextlib.closing(source):
        return build(
            source, settings.signals, settings.environment, time.time(), settings.period, cluster=True
        )


async def _write(settings: MonitorSettings, report: MonitoringReport) -> bool:
    """Write the report as HTML and JSON; return whether both were written.

    Names are unique for each run, because the identity may create objects but not replace them.
    """
    name = object_name(report)
    try:
        async with open_bucket(settings.reports) as bucket:
            page, data = render(report).encode(), msgspec.json.encode(report.to_json())
            await bucket.put(f"{name}.html", page, media_type="text/html; charset=utf-8")
            await bucket.put(f"{name}.json", data, media_type="application/json")
    except StorageError as error:
        log.error(
            "monitor failed: report not written",
            bucket=settings.reports.bucket,
            error=f"{type(error).__name__}: {error}: check that the bucket exists and that the service"
            " account may create objects in it (roles/storage.objectCreator)",
        )
        return False
    log.info("report written", bucket=settings.reports.bucket, name=name, findings=len(report.findings))
    return True


def object_name(report: MonitoringReport) -> str:
    """Return the name of the report's objects without extension: the day as folders, environment and time."""
    return time.strftime(f"%Y/%m/%d/{report.stack}-%Y%m%dT%H%M%SZ", time.gmtime(report.end))


@contextmanager
def _serving(settings: MonitorSettings, registry: CollectorRegistry) -> Iterator[None]:
    """Serve the metrics of `registry`, in a thread. Raises OSError if the port is not available."""
    server, thread = start_http_server(settings.port, settings.host, registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def _until(stop: asyncio.Event, end: float, work: Coroutine[Any, Any, T]) -> T | None:
    """Return the result of `work`; None if `stop` is set or the loop's time reaches `end` before."""
    loop = asyncio.get_running_loop()
    tasks = task, _ = loop.create_task(work), loop.create_task(stop.wait())
    try:
        await asyncio.wait(tasks, timeout=max(0.0, end - loop.time()), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _in_thread(work: Callable[[], T]) -> T:
    """Like :func:`asyncio.to_thread`, but a call that hangs does not delay the exit of the process."""
    done = asyncio.Event()
    loop, result = asyncio.get_running_loop(), concurrent.futures.Future[T]()

    def call() -> None:
        try:
            result.set_result(work())
        except BaseException as error:
            result.set_exception(error)
        with contextlib.suppress(RuntimeError):  # the loop was closed after the deadline
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=call, daemon=True).start()
    await done.wait()
    return result.result()
