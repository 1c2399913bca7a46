"""Probes: thresholds, targets and results of HTTP, TCP and command probes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from rehearsal.host.kubernetes.probes import Probe, Target, until_started
from tests.support.backends import free_port

pytestmark = pytest.mark.anyio


def target(port: int = 0) -> Target:
    return Target({8080: port}, {"http": 8080}, dict(os.environ), Path("/"))


@asynccontextmanager
async def server(*responses: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Serve `responses` in turn, the last one from then on; yield the port and the requests."""
    requests: list[bytes] = []
    left = list(responses)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):  # a TCP probe sends nothing
            requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        writer.close()

    running = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with running:
        yield running.sockets[0].getsockname()[1], requests


@pytest.mark.parametrize(
    ("port", "local"), [("http", 18_001), (8080, 18_001), ("8080", 18_001), (9, 9), ("x", 0)]
)
async def test_port_is_given_by_number_or_name(port: str | int, local: int) -> None:
    assert target(18_001).port(port) == local


async def test_defaults_are_those_of_kubernetes() -> None:
    probe = Probe({})
    assert (probe.period, probe.delay, probe.timeout) == (10, 0, 1)
    assert [probe.count("no") for _ in range(3)] == [None, None, False]
    assert probe.count(None) is True


async def test_results_in_a_row_reach_a_threshold() -> None:
    probe = Probe({"failureThreshold": 2, "successThreshold": 2})
    results = [probe.count(problem) for problem in ("no", None, "no", "no", None, None, "no")]
    assert results == [None, None, None, False, None, True, None]


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (b"200 OK", None),
        (b"399 X", None),
        (b"400 Bad", "HTTP 400"),
        (b"199 X", "HTTP 199"),
        (b"503 X", "HTTP 503"),
    ],
)
async def test_http_probe_succeeds_below_400(status: bytes, problem: str | None) -> None:
    action = {"path": "/live", "port": "http", "httpHeaders": [{"name": "Host", "value": "a"}]}
    async with server(b"HTTP/1.1 " + status + b"\r\n\r\n") as (port, requests):
        assert await Probe({"httpGet": action}).check(target(port)) == problem
    [request] = requests
    assert request.startswith(b"GET /live HTTP/1.1\r\nHost: a\r\n")


async def test_malformed_response_is_a_problem() -> None:
    async with server(b"\r\n") as (port, _):
        assert await Probe({"httpGet": {"port": 8080}}).check(target(port))


async def test_tcp_probe_connects() -> None:
    async with server(b"") as (port, _):
        assert await Probe({"tcpSocket": {"port": 8080}}).check(target(port)) is None
    assert await Probe({"tcpSocket": {"port": 8080}}).check(target(free_port()))


@pytest.mark.parametrize(("command", "problem"), [("true", None), ("false", "exit code 1")])
async def test_command_succeeds_with_exit_code_zero(command: str, problem: str | None) -> None:
    assert await Probe({"exec": {"command": [command]}}).check(target()) == problem


async def test_command_is_killed_after_the_timeout() -> None:
    declared: dict[str, Any] = {"exec": {"command": ["sleep", "60"]}, "timeoutSeconds": 0.05}
    assert await Probe(declared).check(target()) == "no response within 0.05 s"


async def test_grpc_probe_succeeds() -> None:
    assert await Probe({"grpc": {"port": 8080}}).check(target()) is None


async def test_startup_ends_with_the_first_success() -> None:
    async with server(b"HTTP/1.1 503 X\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n") as (port, requests):
        assert await until_started(Probe({"httpGet": {"port": 8080}}), target(port)) is None
    assert len(requests) == 2


async def test_startup_ends_at_the_failure_threshold() -> None:
    declared: dict[str, Any] = {"exec": {"command": ["false"]}, "periodSeconds": 0.001, "failureThreshold": 1}
    assert await until_started(Probe(declared), target()) == "exit code 1"
