"""Client of the Prometheus HTTP API: Google Managed Service for Prometheus, or any other Prometheus."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any, Final

import httpx

from app.google_auth import AccessTokenError
from app.monitoring.source import SourceError, TimeSeries

_TIMEOUT_SECONDS: Final = 30.0
# Maximum duration of a whole response; the client's timeout applies to each read.
_RESPONSE_SECONDS: Final = 60.0
# The largest queries of this platform have 4 MB: 15 limits over seven days in steps of a minute.
MAX_RESPONSE_BYTES: Final = 16 * 1024 * 1024
# Prometheus rejects queries with more than 11,000 points per series (web/api/v1/api.go).
_MAX_POINTS: Final = 11_000


class PrometheusSource:
    """Queries the Prometheus API at `url`, without ``/api/v1``.

    `token` returns a bearer token for each request and may raise AccessTokenError; None sends no
    Authorization header.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Callable[[], str] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._client = httpx.Client(timeout=_TIMEOUT_SECONDS, transport=transport)

    def query_range(self, query: str, start: float, end: float, step: float) -> list[TimeSeries]:
        """Return the series of `query`, without values that are not finite and series without any other.

        Raises SourceError, also for a response of more than MAX_RESPONSE_BYTES.
        """
        step = max(step, (end - start) / (_MAX_POINTS - 1))
        # Uncompressed, so that the size limit applies to the bytes received.
        headers = {"accept-encoding": "identity"}
        try:
            if self._token is not None:
                headers["authorization"] = f"Bearer {self._token()}"
            with self._client.stream(
                "POST",
                f"{self.url}/api/v1/query_range",
                data={"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"},
                headers=headers,
            ) as response:
                return _series(self.url, query, response.status_code, _body(self.url, query, response))
        except AccessTokenError as error:
            raise SourceError(f"{self.url} was not queried: {error}") from error
        except httpx.HTTPError as error:
            raise SourceError(
                f"{self.url} is unavailable ({type(error).__name__}: {error}): check that the address is that"
                " of a Prometheus HTTP API and that it is reachable from here"
            ) from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _body(url: str, query: str, response: httpx.Response) -> bytes:
    """Receive a response up to the limits of its size and time. Raises SourceError or httpx.HTTPError."""
    received = bytearray()
    ends = time.monotonic() + _RESPONSE_SECONDS
    for chunk in response.iter_bytes():
        received += chunk
        if len(received) > MAX_RESPONSE_BYTES:
            raise SourceError(
                f"{url} returned more than {MAX_RESPONSE_BYTES // 1024**2} MiB: a label of the query has too"
                f" many values, or its range is too long: {query}"
            )
        if time.monotonic() > ends:
            raise SourceError(f"{url} sent no complete response within {_RESPONSE_SECONDS:g} s: {query}")
    return bytes(received)


def _series(url: str, query: str, status: int, content: bytes) -> list[TimeSeries]:
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        text = content[:300].decode(errors="replace")
        raise SourceError(
            f"{url} refused access ({status}: {text}): check the token and that"
            " its service account may read metrics (roles/monitoring.viewer)"
        )
    try:
        body: dict[str, Any] = json.loads(content)
        if body.get("status") != "success":
            raise SourceError(
                f"{url} refused a query ({body.get('errorType', status)}:"
                f" {str(body.get('error'))[:300]}): {query}"
            )
        found = [_parse(item) for item in body["data"]["result"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SourceError(
            f"{url} returned status {status} and no Prometheus result ({error!r}): check that"
            " the address is that of a Prometheus HTTP API, without /api/v1"
        ) from error
    return [series for series in found if series.values]


def _parse(item: dict[str, Any]) -> TimeSeries:
    points = [(float(at), float(value)) for at, value in item["values"]]
    points = [(at, value) for at, value in points if math.isfinite(value)]
    return TimeSeries(dict(item["metric"]), [at for at, _ in points], [value for _, value in points])
