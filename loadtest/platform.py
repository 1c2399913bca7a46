"""The platform under test: a stack that runs on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from socket import gaierror, getaddrinfo
from typing import Final
from urllib.parse import urlsplit

from rehearsal.host.administrator import grant_administrator
from rehearsal.host.client import Machine

ROOT: Final = Path(__file__).parents[1]


class NotUpError(Exception):
    """No stack runs on this machine."""


class NotLoopbackError(Exception):
    """The address is not a loopback address. Load tests run only against a platform on this machine."""


@dataclass(frozen=True)
class Platform:
    """A stack that runs on this machine, or an address without a ``machine`` to observe.

    ``root`` is the project that the stack was started from.
    """

    address: str
    authority: Path
    machine: Machine | None
    root: Path
    stack: str

    @property
    def state(self) -> Path:
        """Return the folder of the stack's state."""
        return self.root / ".rehearsal" / self.stack

    @property
    def priority(self) -> int:
        """The nice value of its processes; 0 when none of them is known."""
        if self.machine is None:
            return 0
        pid = next((each.pid for each in self.machine.status().processes if each.pid is not None), None)
        return 0 if pid is None else os.getpriority(os.PRIO_PROCESS, pid)

    @property
    def grant(self) -> Callable[[str], bool] | None:
        """Return a function that gives an account the role of an administrator; None without a machine.

        Its parameter is the account's email address.
        """
        machine = self.machine
        return None if machine is None else lambda email: grant_administrator(machine, self.root, email)


def find(stack: str = "local", root: Path = ROOT) -> Platform:
    """Return the running stack. Raises NotUpError, or NotLoopbackError if it is served elsewhere."""
    machine = Machine.find(root / ".rehearsal" / stack)
    if machine is None:
        raise NotUpError(f"the stack {stack} does not run on this machine; bring it up with `make up`")
    endpoints = machine.status().endpoints
    address = next((each for each in endpoints.values() if each.startswith("https://")), None)
    if address is None:
        raise NotUpError(f"the stack {stack} serves nothing over https: {endpoints}")
    require_loopback(address)
    authority = endpoints.get("authority") or str(root / ".rehearsal" / "ca" / "ca.pem")
    return Platform(address.rstrip("/"), Path(authority), machine, root, stack)


def require_loopback(address: str) -> None:
    """Raise NotLoopbackError unless every address of the host is a loopback address."""
    host = urlsplit(address).hostname or ""
    try:
        resolved = {str(item[4][0]) for item in getaddrinfo(host, None)}
    except gaierror as error:
        raise NotLoopbackError(
            f"{address} cannot be resolved ({error}); load tests run only against loopback addresses"
        ) from error
    remote = sorted(each for each in resolved if not ip_address(each).is_loopback)
    if remote:
        raise NotLoopbackError(
            f"{address} is {', '.join(remote)}; load tests run only against loopback addresses, "
            "such as https://localhost:8443 of `make up`"
        )
