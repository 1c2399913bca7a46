"""Reading of settings from environment variables and mounted files, with all problems at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final, TypeAlias, TypeVar
from urllib.parse import SplitResult, urlsplit

T = TypeVar("T", bound=StrEnum)

Network: TypeAlias = IPv4Network | IPv6Network
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class SettingsError(Exception):
    """The settings are invalid; ``problems`` has one line for each problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _origin(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(netloc: str) -> bool:
    """Return whether all hosts of the network location of a URL are loopback addresses."""
    hosts = netloc.rpartition("@")[2].split(",")
    return all((urlsplit(f"//{host}").hostname or "") in _LOOPBACK for host in hosts)


class Environment:
    """Reader of variables and files, which collects the problems that it finds.

    For an invalid value, a method returns its default or a placeholder, and :meth:`finish` raises.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._known: set[str] = set()
        self._problems: list[str] = []

    def problem(self, line: str) -> None:
        """Add a problem."""
        self._problems.append(line)

    def finish(self) -> None:
        """Raise :class:`SettingsError` if there were problems."""
        if self._problems:
            raise SettingsError(self._problems)

    def text(self, name: str) -> str:
        """Return a required variable."""
        self._known.add(name)
        value = self._environ.get(name, "")
        if not value:
            others = [key for key in self._environ if key.startswith("KINGDOM_") and key not in self._known]
            close = difflib.get_close_matches(name, others, n=1, cutoff=0.85)
            hint = f" (is {close[0]} misspelled?)" if close else ""
            self.problem(f"{name} is {'empty' if name in self._environ else 'not set'}{hint}")
        return value

    def url(self, name: str, *, secure: str, plain: str) -> str:
        """Return a required URL. Its scheme is ``secure``, or ``plain`` with a loopback address."""
        value = self.text(name)
        if not value:
            return value
        parts = urlsplit(value)
        if parts.scheme not in {secure, plain} or not parts.hostname:
            self.problem(f"{name} is not a {secure}:// URL")
        elif parts.scheme == plain and parts.hostname not in _LOOPBACK:
            self.problem(f"{name} has no TLS; use {secure}:// (only loopback addresses may omit it)")
        return value

    def origins(self, name: str) -> frozenset[str]:
        """Return web origins (scheme, host, port), separated by commas in the variable."""
        found = {part.strip() for part in self._environ.get(name, "").split(",") if part.strip()}
        for origin in sorted(found):
            parts = urlsplit(origin)
            plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
            if not parts.hostname or not (parts.scheme == "https" or plain) or origin != _origin(parts):
                self.problem(f"{name} has {origin!r}, which is not an origin such as https://app.example.com")
        return frozenset(found)

    def networks(self, name: str, default: tuple[Network, ...]) -> tuple[Network, ...]:
        """Return networks such as 10.0.0.0/8, separated by commas in the variable."""
        found: list[Network] = []
        for part in self._environ.get(name, "").split(","):
            if part.strip():
                try:
                    found.append(ip_network(part.strip()))
                except ValueError as error:
                    self.problem(f"{name}: {error}; write networks such as 10.0.0.0/8, separated by commas")
        return tuple(found) or default

    def optional_file(self, name: str) -> Path | None:
        """Return the path of a file that must exist if the variable is set; ``None`` otherwise."""
        value = self._environ.get(name, "")
        if value and not Path(value).is_file():
            self.problem(f"{name} is {value!r}, which is not a file")
        return Path(value) if value else None

    def choice(self, name: str, choices: type[T], default: T) -> T:
        """Return the member of ``choices`` with the value of the variable."""
        value = self._environ.get(name, default.value)
        try:
            return choices(value)
        except ValueError:
            self.problem(f"{name} is {value!r}; it must be one of {', '.join(choices)}")
            return default

    def flag(self, name: str, default: bool) -> bool:
        """Return a variable that is ``true`` or ``false``."""
        value = self._environ.get(name, "")
        if value not in {"", "true", "false"}:
            self.problem(f"{name} is {value!r}; it must be true or false")
        return value == "true" if value else default

    def number(self, name: str, default: float, *, minimum: float, maximum: float) -> float:
        """Return a number within the bounds, both inclusive."""
        value = self._environ.get(name, "")
        if not value:
            return default
        try:
            parsed = float(value)
        except ValueError:
            parsed = float("nan")
        if not minimum <= parsed <= maximum:
            self.problem(f"{name} is {value!r}; it must be a number from {minimum:g} to {maximum:g}")
            return default
        return parsed

    def integer(self, name: str, default: int, *, minimum: int, maximum: int) -> int:
        """Return an integer within the bounds, both inclusive."""
        value = self._environ.get(name, "")
        if not value:
            return default
        if not (value.isascii() and value.isdigit() and minimum <= int(value) <= maximum):
            self.problem(f"{name} is {value!r}; it must be an integer from {minimum} to {maximum}")
            return default
        return int(value)

    def folder(self, name: str) -> Path:
        """Return the path of a required folder."""
        value = self.text(name)
        path = Path(value)
        if value and not path.is_dir():
            self.problem(f"{name} is {value!r}, which is not a folder; mount the secrets there")
        return path

    def file(self, folder: Path, name: str) -> Path:
        """Return the path of a required file in a folder of mounted secrets."""
        path = folder / name
        if folder.is_dir() and not path.is_file():
            self.problem(f"{path} is missing from the mounted secrets")
        return path

    def secret(self, folder: Path, name: str) -> str:
        """Return the content of a required file without surrounding white space."""
        path = self.file(folder, name)
        if not path.is_file():
            return ""
        try:
            value = path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            self.problem(f"{path} cannot be read: {error}")
            return ""
        if not value:
            self.problem(f"{path} is empty")
        return value
