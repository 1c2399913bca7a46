"""YAML as the Pulumi CLI reads it: ``gopkg.in/yaml.v3``, which follows YAML 1.2 for plain scalars.

PyYAML follows YAML 1.1, where ``yes``, ``on``, ``12:30:45`` and dates are not strings, but ``1e3``
and ``0o17`` are. The rules here are ``resolve`` in ``resolve.go`` of that package.
"""

from __future__ import annotations

import math
import re
from base64 import b64decode
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import yaml

from rehearsal.errors import InputError
from rehearsal.yaml_nodes import (
    expanded_size,
    nodes_below,
    repeats_anchor,
    too_deep,
    with_distinct_anchors,
)

_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INTEGER: Final = re.compile(
    r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]*|[1-9][0-9]*)|0b[-+][01]+|0o[-+][0-7]+"
)
_DATE: Final = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:(?:[Tt](\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d+))?(Z|[-+]\d\d:\d\d))|"
    r"(?: +(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d+))?))?"
)
_MAX_DEPTH: Final = 200  # levels; the CLI permits 10,000
# Numbers of values between which the permitted share of aliases falls from 99 % to 10 % (`decode.go`).
_ALIAS_RANGE: Final = (400_000, 4_000_000)
_INT64: Final = range(-(2**63), 2**64)  # with the upper half of the unsigned range


class Timestamp(str):
    """Timestamp in Go's format, in which the CLI passes it to programs."""


class BooleanKey(str):
    """Key of a mapping that is a boolean: in Python, ``True`` and ``False`` are the keys 1 and 0."""


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
        try:
            number = _integer(plain)
        except ValueError:
            return text  # more digits than Python converts, so beyond all floats too
        if number in _INT64:
            return number
    if _FLOAT.fullmatch(plain if text[0] != "." else text):
        number = float(plain if text[0] != "." else text)
        return text if math.isinf(number) else number
    return text


def _integer(text: str) -> int:
    if (
        text[:2] in ("0b", "0o") and text[2] in "+-"
    ):  # `resolve` parses what follows these prefixes on its own
        return int(text[2:], 2 if text[1] == "b" else 8)
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text.lstrip("+"))
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        return sign * int(digits, 8)  # as YAML 1.1 writes octal numbers
    return sign * int(digits, 0)


def _timestamp(found: re.Match[str]) -> Timestamp | None:
    year, month, day, *clock = found.groups()
    hour, minute, second, fraction, zone = clock[:5] if clock[0] else (*clock[5:9], None)
    offset = timezone(timedelta(0))
    try:
        if zone and zone != "Z":
            sign = -1 if zone[0] == "-" else 1
            offset = timezone(sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6])))
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


_PLAIN: Final = "plain scalar"  # tag of plain scalars without a tag in the document
_PREFIX: Final = "tag:yaml.org,2002:"
_MERGE: Final = _PREFIX + "merge"
_TAGGED: Final[dict[str, tuple[type, ...]]] = {  # types of a scalar with an explicit tag
    "null": (type(None),),
    "bool": (bool,),
    "int": (int,),
    "float": (float,),
    "timestamp": (Timestamp,),
}


class _Constructor(yaml.constructor.SafeConstructor):
    """Constructs values as the decoder of that package does.

    Unknown tags have no effect. A key that occurs twice is refused, and so are an anchor whose value contains
    itself and a scalar whose tag does not fit.
    """

    _open: tuple[yaml.Node, ...] = ()

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: Any) -> str:
        if kind is not yaml.ScalarNode or not implicit[0]:
            return _PREFIX + "str"
        return _MERGE if value == "<<" else _PLAIN

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return _scalar_of(node)
        if node in self._open:
            raise _problem("the value of the anchor contains itself", node)
        if node not in self.constructed_objects:
            self._open = (*self._open, node)
            if isinstance(node, yaml.MappingNode):
                value: Any = self.construct_mapping(node)
            else:
                value = [self.construct_object(item) for item in node.value]
            self._open = self._open[:-1]
            self.constructed_objects[node] = value
        return self.constructed_objects[node]

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, yaml.Node] = {}
        for key, value in node.value:
            merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
            if key.tag == _MERGE and node in merged:
                raise _problem("the value of the anchor contains itself", node)
            if isinstance(key, yaml.ScalarNode):
                if (first := seen.get(key.value)) is not None:
                    raise _problem(
                        f"the key {key.value!r} is already in line {first.start_mark.line + 1}", key
                    )
                seen[key.value] = key
        self.flatten_mapping(node)
        return {_key_of(key): self.construct_object(value) for key, value in node.value}


def _key_of(node: yaml.Node) -> Any:
    """Return the key that `node` is, a boolean as BooleanKey. Raises ConstructorError for a collection."""
    if not isinstance(node, yaml.ScalarNode):
        raise _problem("a key must be a scalar", node)
    key = _scalar_of(node)
    return BooleanKey(str(key).lower()) if isinstance(key, bool) else key


def _scalar_of(node: yaml.ScalarNode) -> Any:
    """Return the value of a scalar by its tag: the function `resolve` of that package.

    Raises ConstructorError if the value does not fit the tag.
    """
    if node.tag == _PLAIN:
        return scalar(node.value)
    name = node.tag.removeprefix(_PREFIX)
    if name == "binary":
        try:
            # Go has one type for texts and for bytes.
            return b64decode("".join(node.value.split()), validate=True).decode(errors="replace")
        except ValueError:
            raise _problem("the value of !!binary is not base64", node) from None
    if name not in _TAGGED:
        return node.value
    value = scalar(node.value)
    if name == "float" and type(value) is int:
        return float(value)
    if type(value) not in _TAGGED[name]:
        raise _problem(f"{node.value!r} cannot be read as !!{name}", node)
    return value


def _problem(text: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, text, node.start_mark)


_Loader = type("_Loader", (_Constructor, getattr(yaml, "CSafeLoader", yaml.SafeLoader)), {})


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in the first document of a YAML file; an empty one for an empty file.

    Raises InputError with line and column.
    """
    try:
        data = _first_document(path.read_text())
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


def _first_document(text: str) -> Any:
    """Return the first document of `text`, as ``yaml.Unmarshal`` does, which reads no further."""
    if (mark := too_deep(text, _MAX_DEPTH)) is not None:
        problem = f"it is nested more than {_MAX_DEPTH} levels deep"
        raise yaml.constructor.ConstructorError(None, None, problem, mark)
    try:
        return _composed(text)
    except yaml.composer.ComposerError as error:
        if not repeats_anchor(error):
            raise
        return _composed(with_distinct_anchors(text))


def _composed(text: str) -> Any:
    loader: Any = _Loader(text)
    try:
        if not loader.check_node():
            return None
        tree = loader.get_node()
        _check_aliases(tree)
        return loader.construct_document(tree)
    finally:
        loader.dispose()


def _check_aliases(tree: yaml.Node) -> None:
    """Raise ConstructorError if aliases make up too much of `tree` (``d.unmarshal`` in ``decode.go``)."""
    values = expanded_size(tree, cyclic=0)
    few, many = _ALIAS_RANGE
    excess = min(max(values - few, 0), many - few) / (many - few)
    distinct = sum(1 for _ in nodes_below(tree))
    if values > 1_000 and values - distinct > 100 and values - distinct > (0.99 - 0.89 * excess) * values:
        raise _problem("the document contains excessive aliasing", tree)


def kind_of(value: Any) -> str:
    """Return the YAML name of the kind of `value`, for messages."""
    names = {dict: "a mapping", list: "a list", str: "a text", bool: "a truth value"}
    return names.get(type(value), f"{value!r}")
