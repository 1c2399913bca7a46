"""YAML as the Pulumi CLI reads it: ``gopkg.in/yaml.v3``, which follows YAML 1.2 for plain scalars.

PyYAML follows YAML 1.1, where ``yes``, ``on``, ``12:30:45`` and dates are not strings, but ``1e3``
and ``0o17`` are. The rules here are ``resolve`` in ``resolve.go`` of that package.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import yaml

from rehearsal.errors import InputError

_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INTEGER: Final = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]*|[1-9][0-9]*)")
_DATE: Final = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:(?:[Tt](\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d+))?(Z|[-+]\d\d:\d\d))|"
    r"(?: +(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d+))?))?"
)
_INT64: Final = range(-(2**63), 2**64)  # with the upper half of the unsigned range


class Timestamp(str):
    """Timestamp in Go's format, in which the CLI passes it to programs."""


def scalar(text: str) -> Any:
    """Return the value of the plain scalar `text`."""
    if text in _WORDS:
        return _WORDS[text]
    if not text or text[0] not in "+-.0123456789":
        return text
    if text[0] in "0123456789" and (found := _DATE.fullmatch(text)):
        stamp = _timestamp(found)
        if stamp is not None:
            return stamp
    plain = text.replace("_", "")
    if text[0] != "." and _INTEGER.fullmatch(plain):
        number = _integer(plain)
        if number in _INT64:
            return number
    if _FLOAT.fullmatch(plain if text[0] != "." else text):
        return float(plain if text[0] != "." else text)
    return text


def _integer(text: str) -> int:
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text.lstrip("+"))
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        return sign * int(digits, 8)  # as YAML 1.1 writes octal numbers
    return sign * int(digits, 0)


def _timestamp(found: re.Match[str]) -> Timestamp | None:
    year, month, day, *clock = found.groups()
    hour, minute, second, fraction, zone = clock[:5] if clock[0] else (*clock[5:9], None)
    offset = timezone(timedelta(0))
    if zone and zone != "Z":
        sign = -1 if zone[0] == "-" else 1
        offset = timezone(sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6])))
    try:
        at = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=offset
        )
    except ValueError:
        return None
    fraction = (fraction or "").rstrip("0")
    text = f"{at:%Y-%m-%d %H:%M:%S}" + (f".{fraction}" if fraction else "")
    if at.utcoffset() == UTC.utcoffset(None):
        return Timestamp(f"{text} +0000 UTC")
    return Timestamp(f"{text} {at:%z} {at:%z}")


class _Constructor(yaml.constructor.SafeConstructor):
    """Resolves plain scalars as above; refuses a key that occurs twice, as Pulumi's own reader does."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        # Only plain scalars have no style; an explicit tag such as `!!str` differs from the resolved one.
        if isinstance(node, yaml.ScalarNode) and not node.style and node.tag == self._resolved(node):
            if node.tag == "tag:yaml.org,2002:merge" or node.value == "<<":
                return super().construct_object(node, deep=deep)
            return scalar(node.value)
        value = super().construct_object(node, deep=deep)
        # Go has one type for texts and for bytes.
        return value.decode(errors="replace") if isinstance(value, bytes) else value

    def _resolved(self, node: yaml.ScalarNode) -> str:
        resolve = getattr(self, "resolve")  # noqa: B009  (of the loader that this class is mixed into)
        return str(resolve(yaml.ScalarNode, node.value, (True, False)))

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, yaml.Node] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if (first := seen.get(key.value)) is not None:
                    line = first.start_mark.line + 1
                    problem = f"the key {key.value!r} is already in line {line}"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen[key.value] = key
        return super().construct_mapping(node, deep)


_Loader = type("_Loader", (_Constructor, getattr(yaml, "CSafeLoader", yaml.SafeLoader)), {})


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file; an empty one for an empty file.

    Raises InputError with line and column.
    """
    try:
        data = yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506  (it is a safe loader)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise InputError(f"{path}{where}: not valid YAML: {getattr(error, 'problem', error)}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise InputError(f"{path} must hold a mapping, not {kind_of(data)}")
    return data


def kind_of(value: Any) -> str:
    """Return the YAML name of the kind of `value`, for messages."""
    names = {dict: "a mapping", list: "a list", str: "a text", bool: "a truth value"}
    return names.get(type(value), f"{value!r}")
