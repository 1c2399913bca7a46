"""Read values that may be secret or unknown, and check single values."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN, Path, Secret

_PORT_NAME: Final = re.compile(r"(?=.*[a-z])[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_MAX_LABEL: Final = 63
_MAX_NAME: Final = 253
MAX_PORT: Final = 65_535


def opened(value: Any) -> Any:
    """Return `value` without its secret wrapper."""
    while isinstance(value, Secret):
        value = value.element
    return value


def scalar(value: Any) -> Any:
    """Return `value` without its secret wrapper, and None for a list or an object, which has no hash."""
    value = opened(value)
    return None if isinstance(value, (list, Mapping)) else value


def items(value: Any) -> list[Any]:
    """Return the items of a list without secret wrappers; none if the list is unknown or absent."""
    value = opened(value)
    return [opened(item) for item in value] if isinstance(value, list) else []


def mapping(value: Any) -> Mapping[str, Any]:
    """Return the properties of an object; none if it is unknown or absent."""
    value = opened(value)
    return value if isinstance(value, Mapping) else {}


def missing(value: Any) -> bool:
    """Whether a value is known to be absent or empty."""
    value = opened(value)
    return value is not UNKNOWN and not value


def given(value: Any) -> bool:
    """Whether a value is known, and not empty."""
    value = opened(value)
    return value is not UNKNOWN and bool(value)


def known_text(value: Any) -> str | None:
    """Return a known text, else None."""
    value = opened(value)
    return value if isinstance(value, str) and value is not UNKNOWN else None


def numbers(
    holder: Mapping[str, Any], path: Path, bounds: Mapping[str, int], max_value: int | None = None
) -> Iterator[Problem]:
    """Yield problems of integers below their minimum in `bounds`, or above `max_value`."""
    for name, low in bounds.items():
        value = opened(holder.get(name))
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        if value < low or (max_value is not None and value > max_value):
            allowed = f"at least {low}" if max_value is None else f"{low} to {max_value}"
            yield problem((*path, name), f"{int(value)} is out of range: {allowed}")


def one_of(holder: Mapping[str, Any], path: Path, name: str, allowed: tuple[str, ...]) -> Iterator[Problem]:
    """Yield a problem if the known text `name` of `holder` is not one of `allowed`."""
    value = opened(holder.get(name))
    if isinstance(value, str) and value is not UNKNOWN and value not in allowed:
        yield problem((*path, name), f"{value!r} is not one of {', '.join(filter(None, allowed))}")


def ip_address(value: Any, path: Path) -> Iterator[Problem]:
    """A problem of a text that is not an IP address."""
    text = known_text(value)
    if text is None:
        return
    try:
        ipaddress.ip_address(text)
    except ValueError:
        yield problem(path, f"{text!r} is not an IP address")


def dns_label(value: Any, path: Path) -> Iterator[Problem]:
    """A problem of a text that is not a DNS label."""
    text = known_text(value)
    if text is not None and (len(text) > _MAX_LABEL or not _LABEL.fullmatch(text)):
        yield problem(path, f"{text!r} is not a DNS label: lower-case letters, digits, hyphens")


def dns_subdomain(value: Any, path: Path) -> Iterator[Problem]:
    """A problem of a text that is not a DNS subdomain."""
    text = known_text(value)
    if text is not None and (len(text) > _MAX_NAME or not all(map(_LABEL.fullmatch, text.split(".")))):
        yield problem(path, f"{text!r} is not a DNS subdomain: lower-case letters, digits, hyphens, dots")


def qualified_name(value: Any, path: Path) -> Iterator[Problem]:
    """Yield a problem of a text that is not a name, with an optional domain and slash (`IsQualifiedName`)."""
    text = known_text(value)
    if text is None:
        return
    prefix, slash, name = text.rpartition("/")
    fits = len(name) <= _MAX_LABEL and _QUALIFIED.fullmatch(name)
    if not fits or (slash and not all(map(_LABEL.fullmatch, prefix.split(".")))):
        yield problem(
            path, f"{text!r} is not a name of letters, digits, '-', '_', '.', with an optional domain"
        )


def port_number(value: Any, path: Path, min_port: int = 1) -> Iterator[Problem]:
    """Yield a problem of a port: a number out of range, or a text that is not a valid port name."""
    value = opened(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not min_port <= value <= MAX_PORT:
            yield problem(path, f"{int(value)} is not a port: {min_port} to {MAX_PORT}")
    elif isinstance(value, str) and value is not UNKNOWN:
        yield from port_name(value, path)


def port_name(value: Any, path: Path) -> Iterator[Problem]:
    """Yield a problem if a known text is not a valid port name (`IsValidPortName`)."""
    value = opened(value)
    if not isinstance(value, str) or value is UNKNOWN:
        return
    if len(value) > 15 or not _PORT_NAME.fullmatch(value) or "--" in value:
        yield problem(
            path,
            f"{value!r} is not a port name: up to 15 lower-case letters, digits and hyphens, with a letter",
        )


def value_at(value: Any, *path: str) -> Any:
    """The value at a path of properties, None where there is none, UNKNOWN below an unknown one."""
    for part in path:
        value = opened(value)
        if not isinstance(value, Mapping):
            return value if value is UNKNOWN else None
        value = value.get(part)
    return opened(value)


def integer(value: Any) -> int | None:
    """A known number as an integer, else None."""
    value = opened(value)
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
