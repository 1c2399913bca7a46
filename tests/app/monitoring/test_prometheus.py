"""The client of the Prometheus HTTP API: values, and errors for any other response."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs

import httpx
import pytest

from app.monitoring import prometheus
from app.monitoring.prometheus import MAX_RESPONSE_BYTES, PrometheusSource
from app.monitoring.source import SourceError

RESULT = {
    "status": "success",
    "data": {
        "resultType": "matrix",
        "result": [
            {"metric": {"route": "/v1/feed"}, "values": [[1.0, "2.5"], [16.0, "NaN"], [31.0, "+Inf"]]}
        ],
    },
}


def source(response: httpx.Response | Exception) -> PrometheusSource:
    def respond(request: httpx.Request) -> httpx.Response:
        if isinstance(response, Exception):
            raise response
        return response

    return PrometheusSource("http://prometheus/", transport=httpx.MockTransport(respond))


def test_values_that_are_not_numbers_are_left_out() -> None:
    (series,) = source(httpx.Response(200, json=RESULT)).query_range("up", 0.0, 60.0, 15.0)
    assert (series.label, series.times, series.values) == ("/v1/feed", [1.0], [2.5])


def test_a_series_without_any_number_is_left_out() -> None:
    result = [{"metric": {"a": "b"}, "values": [[1.0, "NaN"], [16.0, "-Inf"]]}]
    response = httpx.Response(200, json={"status": "success", "data": {"result": result}})
    assert source(response).query_range("up", 0.0, 60.0, 15.0) == []


def test_a_query_stays_within_the_limit_of_points_of_prometheus() -> None:
    requests: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json=RESULT)

    found = PrometheusSource("http://prometheus", token=lambda: "abc", transport=httpx.MockTransport(respond))
    found.query_range("up", 0.0, 7 * 86_400.0, 15.0)
    form = parse_qs(requests[0].content.decode())
    assert 7 * 86_400.0 / float(form["step"][0]) < 11_000
    assert requests[0].headers["authorization"] == "Bearer abc"


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (httpx.ConnectError("refused"), "is unavailable"),
        (
            httpx.Response(400, json={"status": "error", "errorType": "bad_data", "error": "parse error"}),
            "refused a query .bad_data: parse error",
        ),
        (
            httpx.Response(403, json={"error": {"message": "Permission denied"}}),
            "refused access .403: .*Permission denied.*roles/monitoring.viewer",
        ),
        (httpx.Response(401, text="expired"), "refused access .401: expired.: check the token"),
        (httpx.Response(200, text="<html>"), "no Prometheus result"),
        (httpx.Response(200, json=[]), "no Prometheus result"),
        (httpx.Response(200, text="[" * 100_000), "no Prometheus result"),
        (httpx.Response(200, json={"status": "success", "data": {}}), "no Prometheus result"),
    ],
)
def test_response_without_a_result_is_reported(response: httpx.Response | Exception, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        source(response).query_range("up", 0.0, 60.0, 15.0)


class Endless(httpx.SyncByteStream):
    """A body without an end, of which the bytes that were read are counted."""

    def __init__(self) -> None:
        self.sent = 0
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.sent += 65_536
            yield b" " * 65_536

    def close(self) -> None:
        self.closed = True


def test_a_response_without_an_end_is_refused_at_the_limit() -> None:
    body = Endless()
    with pytest.raises(SourceError, match=r"returned more than 16 MiB: a label of the query .*: sum.up.$"):
        source(httpx.Response(200, stream=body)).query_range("sum(up)", 0.0, 60.0, 15.0)
    assert body.sent <= MAX_RESPONSE_BYTES + 65_536
    assert body.closed


def test_a_response_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "_RESPONSE_SECONDS", -1.0)
    with pytest.raises(SourceError, match="sent no complete response within"):
        source(httpx.Response(200, stream=Endless())).query_range("up", 0.0, 60.0, 15.0)


def test_compression_is_not_requested() -> None:
    encodings: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        encodings.append(request.headers["accept-encoding"])
        return httpx.Response(200, json=RESULT)

    PrometheusSource("http://prometheus", transport=httpx.MockTransport(respond)).query_range(
        "up", 0.0, 60.0, 15.0
    )
    assert encodings == ["identity"]
