"""Access to the recording of a stack: through the dashboard's process while it runs, else from the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx

from app.monitoring.prometheus import PrometheusSource
from app.monitoring.source import Source, SourceError, TimeSeries
from rehearsal.dashboard.process import address
from rehearsal.errors import KingdomError
from rehearsal.monitoring.annotations import monitoring_folder
from rehearsal.monitoring.store import RECORDING_FILE, Event, Recording
from rehearsal.pulumi.project import Project

_TIMEOUT_SECONDS: Final = 30.0


class RecordedSource:
    """Results of signals in a file that no process is writing."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def query_range(self, query: str, start: float, end: float, step: float) -> list[TimeSeries]:
        """Return the recorded series of a declared query; [] if it was never recorded."""
        return self._recording.results(query, start, end, step)


@contextmanager
def recorded(project: Project, stack: str, start: float, end: float) -> Iterator[tuple[Source, list[Event]]]:
    """Return the recording of a stack and its events of a period. Raises KingdomError if there is none."""
    state = project.state_folder(stack)
    url = address(state)
    try:
        if url is not None:
            source = PrometheusSource(url)
            try:
                yield source, _events(url, start)
            finally:
                source.close()
            return
        path = monitoring_folder(state) / RECORDING_FILE
        if not path.is_file():
            raise KingdomError(
                f"nothing was recorded of the stack {stack!r}",
                remedy="Run `kingdom dashboard`, which records while the platform runs.",
            )
        recording = Recording(path)
        try:
            yield RecordedSource(recording), recording.events(start, end)
        finally:
            recording.close()
    except SourceError as error:
        raise KingdomError(str(error)) from error


def _events(url: str, start: float) -> list[Event]:
    try:
        response = httpx.get(f"{url}api/events", params={"start": start}, timeout=_TIMEOUT_SECONDS)
        return [Event(**item) for item in response.raise_for_status().json()]
    except (httpx.HTTPError, ValueError, TypeError) as error:
        raise SourceError(f"{url} returned no events: {error!r}") from error
