"""Startup, readiness and liveness probes with the kubelet's semantics."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rehearsal.host.processes.ports import LOOPBACK

# Interval of startup probes in seconds, which detects a started container faster than `periodSeconds`;
# failures still count once per period.
_EAGER_SECONDS = 0.2


@dataclass(frozen=True)
class Target:
    """Target of a probe: the container's local ports, environment and working folder."""

    ports: Mapping[int, int]
    names: Mapping[str, int]
    environment: Mapping[str, str]
    folder: Path

    def port(self, declared: str | int) -> int:
        """Return the local port of a container port, given by number or name."""
        number = (
            self.names.get(declared, 0)
            if isinstance(declared, str) and not declared.isdecimal()
            else int(declared)
        )
        return self.ports.get(number, number)


@dataclass
class Probe:
    """One declared probe with Kubernetes' defaults. Times are in seconds."""

    declared: Mapping[str, Any]
    failures: int = field(default=0, init=False)
    successes: int = field(default=0, init=False)

    def _number(self, name: str, default: float) -> float:
        return float(self.declared.get(name) or default)

    @property
    def period(self) -> float:
        return self._number("periodSeconds", 10)

    @property
    def delay(self) -> float:
        return self._number("initialDelaySeconds", 0)

    @property
    def timeout(self) -> float:
        return self._number("timeoutSeconds", 1)

    async def check(self, target: Target) -> str | None:
        """Run the probe once; return None on success, otherwise why it failed."""
        try:
            async with asyncio.timeout(self.timeout):
                return await self._check(target)
        except TimeoutError:
            return f"no response within {self.timeout:g} s"
        except (OSError, EOFError, ValueError, IndexError) as error:
            return str(error) or type(error).__name__

    async def _check(self, target: Target) -> str | None:
        if "httpGet" in self.declared:
            return await http_get(self.declared["httpGet"], target)
        if "tcpSocket" in self.declared:
            _, writer = await asyncio.open_connection(
                LOOPBACK, target.port(self.declared["tcpSocket"]["port"])
            )
            writer.close()
            return None
        if "exec" in self.declared:
            return await execute(self.declared["exec"]["command"], target)
        return None  # gRPC probes are not supported and always succeed; the notes report it

    def count(self, problem: str | None) -> bool | None:
        """Count a result; return True or False when a threshold is reached, None before."""
        if problem is None:
            self.failures = 0
            self.successes += 1
            return True if self.successes >= self._number("successThreshold", 1) else None
        self.successes = 0
        self.failures += 1
        return False if self.failures >= self._number("failureThreshold", 3) else None


async def until_started(probe: Probe, target: Target) -> str | None:
    """Probe until the first success (None) or the failure threshold (the last failure)."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(probe.delay)
    counted = loop.time()
    while True:
        problem = await probe.check(target)
        if problem is None:
            return None
        if loop.time() - counted >= probe.period:
            counted = loop.time()
            if probe.count(problem) is False:
                return problem
        await asyncio.sleep(_EAGER_SECONDS)


async def http_get(action: Mapping[str, Any], target: Target) -> str | None:
    """Send a GET as the kubelet does: 200 to 399 is success, certificates are not verified."""
    secure = str(action.get("scheme", "HTTP")).upper() == "HTTPS"
    context = ssl._create_unverified_context() if secure else None  # noqa: S323 (as the kubelet does)
    reader, writer = await asyncio.open_connection(LOOPBACK, target.port(action["port"]), ssl=context)
    try:
        headers = {
            "Host": "localhost",
            "User-Agent": "kube-probe/1.37",
            "Connection": "close",
            "Accept": "*/*",
        }
        headers |= {item["name"]: item["value"] for item in action.get("httpHeaders") or []}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"GET {action.get('path') or '/'} HTTP/1.1\r\n{lines}\r\n".encode())
        line = await reader.readline()
        status = int(line.split()[1])
        await reader.read(10_000)
    finally:
        writer.close()
    return None if 200 <= status < 400 else f"HTTP {status}"


async def execute(command: Sequence[str], target: Target) -> str | None:
    """Run a command in the container's environment; return None if it exits with 0."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=target.folder,
        env=dict(target.environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        code = await process.wait()
    except BaseException:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise
    return None if code == 0 else f"exit code {code}"
