"""Client of the Prometheus HTTP API: Google Managed Service for Prometheus, or any other Prometheus."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import httpx

from app.google_auth import AccessTokenError
from app.monitoring.source import SourceError, TimeSeries

_TIMEOUT_SECONDS: Final = 30.0
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

        Raises SourceError.
        """
        step = max(step, (end - start) / (_MAX_POINTS - 1))
        try:
            headers = {} if self._token is None else {"authorization": f"Bearer {self._token()}"}
            response = self._client.post(
                f"{self.url}/api/v1/query_range",
                data={"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"},
                headers=headers,
            )
        except AccessTokenError as error:
            raise SourceError(f"{self.url} was not queried: {error}") from error
        except httpx.HTTPError as error:
            raise SourceError(
                f"{self.url} is unavailable ({type(error).__name__}: {error}): check that the address is that"
                " of a Prometheus HTTP API and that it is reachable from here"
            ) from error
        return _series(self.url, query, response)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _series(url: str, query: str, response: httpx.Response) -> list[TimeSeries]:
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise SourceError(
            f"{url} refused access ({response.status_code}: {response.text[:300]}): check the token and that"
            " its service account may read metrics (roles/monitoring.viewer)"
        )
    try:
        body: dict[str, Any] = response.json()
        if body.get("status") != "success":
            raise SourceError(
                f"{url} refused a query ({body.get('errorType', response.status_code)}:"
                f" {str(body.get('error'))[:300]}): {query}"
            )
        found = [_parse(item) for item in body["data"]["result"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(
            f"{url} returned status {response.status_code} and no Prometheus result ({error!r}): check that"
            " the address is that of a Prometheus HTTP API, without /api/v1"
        ) from error
    return [series for series in found if series.values]


def _parse(item: dict[str, Any]) -> TimeSeries:
    points = [(float(at), float(value)) for at, value in item["values"]]
    points = [(at, value) for at, value in points if math.isfinite(value)]
    return TimeSeries(dict(item["metric"]), [at for at, _ in points], [value for _, value in points])
