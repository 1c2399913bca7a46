"""Parse YAML as `kubectl` does: documents as JSON values, with the line of every value.

Plain scalars are resolved as in `sigs.k8s.io/yaml` (`resolve.go` of go.yaml.in/yaml/v2): YAML 1.1 with ``y``
and ``n``, ``0o17`` and ``1e3``, and without numbers to base 60 and dates; unknown tags have no effect, and
an anchor may be declared again. Depth and size are bounded, because
the parser recurses for each level and an alias repeats everything below its anchor.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import math
import operator
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from rehearsal.yaml_nodes import (
    expanded_size,
    nodes_below,
    repeats_anchor,
    too_deep,
    with_distinct_anchors,
)

_SURROGATES: Final = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
MAX_DEPTH: Final = 1_000  # levels
MAX_VALUES: Final = 5_000_000  # of one document
_BASE: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG: Final = "tag:yaml.org,2002:"
_STR: Final = f"{_TAG}str"
_MAP: Final = f"{_TAG}map"
_SEQ: Final = f"{_TAG}seq"
_NULL: Final = f"{_TAG}null"
_MERGE: Final = f"{_TAG}merge"
_BOOL: Final = f"{_TAG}bool"
_FLOAT: Final = f"{_TAG}float"
_INT: Final = f"{_TAG}int"
_SCALARS: Final = frozenset({_BOOL, _FLOAT, _NULL, _INT})
_WORDS: Final[dict[str, tuple[str, Any]]] = (
    {
        spelling: (tag, value)
        for tag, value, words in (
            (_BOOL, True, ("y", "yes", "true", "on")),
            (_BOOL, False, ("n", "no", "false", "off")),
            (_NULL, None, ("", "~", "null")),
        )
        for word in words
        for spelling in (word, word.capitalize(), word.upper())
    }
    | {
        f"{sign}.{spelling}": (_FLOAT, value)
        for sign, value in (("", math.inf), ("+", math.inf), ("-", -math.inf))
        for spelling in ("inf", "Inf", "INF")
    }
    | {f".{spelling}": (_FLOAT, math.nan) for spelling in ("nan", "NaN", "NAN")}
)
_INTEGER: Final = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|0[0-7]*|[1-9][0-9]*)", re.ASCII
)
_OLD_OCTAL: Final = re.compile(r"([+-]?)0([0-7]+)", re.ASCII)
_NUMBER: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**64 - 1
_MAX_NUMBER: Final = 400  # characters
# The names of libyaml.
_ANCHOR: Final = re.compile(r"&([\w-]+)", re.ASCII)
_ALIAS: Final = re.compile(r"\*([\w-]+)", re.ASCII)


class TooLargeError(Exception):
    """A document is nested more deeply, or has more values, than permitted."""


class NotJsonError(Exception):
    """A document has a number that JSON and the API server do not support: infinity or NaN."""


@dataclass(frozen=True)
class Document:
    """One document.

    `bad_number_line` is the line of a number that JSON does not have; 0 without one. `may_repeat_keys` is
    false if no object has the same key twice.
    """

    tree: yaml.Node | None
    value: Any
    bad_number_line: int = 0
    may_repeat_keys: bool = True


def documents(text: str) -> Iterator[Document]:
    """Yield the documents of `text`, which may also be JSON, or several objects of JSON in succession.

    Raises yaml.YAMLError for invalid YAML, TooLargeError beyond the bounds, ValueError for a date that does
    not exist or an integer of too many digits.
    """
    json_text = _valid_json(text)
    if json_text is None:
        pieces = _json_stream(text)
        if pieces:
            for piece in pieces:
                yield from documents(piece)
            return
        if too_deep(text, MAX_DEPTH) is not None:  # the JSON parser has a bound of its own
            raise TooLargeError
    else:
        text = json_text
    done = 0
    try:
        for document in _composed(text):
            yield document
            done += 1
    except yaml.composer.ComposerError as error:
        if not repeats_anchor(error):
            raise
        yield from itertools.islice(_composed(with_distinct_anchors(text)), done, None)


def _composed(text: str) -> Iterator[Document]:
    has_aliases = _may_have_alias(text)
    loader: Any = _Loader(text)
    try:
        while loader.check_node():
            tree = loader.get_node()
            if not isinstance(tree, yaml.Node):
                yield Document(None, None)
                continue
            if has_aliases and expanded_size(tree, cyclic=MAX_VALUES) > MAX_VALUES:
                raise TooLargeError
            try:
                loader.may_repeat_keys = False
                value = _value(tree, loader)
                yield Document(tree, value, may_repeat_keys=loader.may_repeat_keys)
            except NotJsonError:
                yield Document(tree, None, _bad_number_line(tree) + 1)
    finally:
        loader.dispose()


def child(node: yaml.Node, part: str | int) -> yaml.Node | None:
    """Return the value below `node` at a key or an index; of a repeated key the last value."""
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in reversed(node.value) if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part]
    return None


@functools.lru_cache(maxsize=8192)
def _resolved(text: str) -> tuple[str, Any]:
    """Return tag and value of a plain scalar."""
    found = _WORDS.get(text)
    if found is not None:
        return found
    if text == "<<":
        return _MERGE, text
    if text[:1] not in _FIRST or len(text) > _MAX_NUMBER:
        return _STR, text
    digits = text.replace("_", "") if text[0] != "." else text
    if _INTEGER.fullmatch(digits):
        number = int(_OLD_OCTAL.sub(r"\g<1>0o\2", digits) if _OLD_OCTAL.fullmatch(digits) else digits, 0)
        if _MIN_INTEGER <= number <= _MAX_INTEGER:
            return _INT, number
    if _NUMBER.fullmatch(digits) and math.isfinite(value := float(digits)):
        return _FLOAT, value
    return _STR, text


_FIRST: Final = frozenset("+-.0123456789")


class _Loader(_BASE):
    """The safe loader with a cache in front of the resolver, which used a tenth of the time."""

    # Whether the latest document may have an object with the same key twice.
    may_repeat_keys = False

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        """Return the tag of a node that has none in the text."""
        if kind is yaml.ScalarNode:
            return _resolved(value)[0] if implicit[0] else _STR
        return _MAP if kind is yaml.MappingNode else _SEQ

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
        """Return the mapping with keys as text.

        `1` and `true` are equal keys in Python but not in JSON.
        """
        if not isinstance(node, yaml.MappingNode):
            return super().construct_mapping(node, deep)  # raises the error
        self.flatten_mapping(node)
        found: dict[str, Any] = {}
        for key, item in node.value:
            name = self.construct_object(key, deep=True)
            if isinstance(name, (dict, list, set)):
                raise yaml.constructor.ConstructorError(
                    "while constructing a mapping", node.start_mark, "found unhashable key", key.start_mark
                )
            found[_as_key(name)] = self.construct_object(item, deep=deep)
        return found

    # No resolver here depends on the path. These built-in functions take the arguments and do nothing: a
    # Python function for every node took a twentieth of the time.
    descend_resolver: Any = operator.is_
    ascend_resolver: Any = tuple


def _constructed(loader: _Loader, node: Any) -> Any:
    """Return the value of a scalar with the tag of a number or a boolean, declared or resolved."""
    tag, value = _resolved(str(loader.construct_scalar(node)))
    if node.tag == _FLOAT and tag == _INT:
        return float(value)
    if tag != node.tag:
        problem = f"{node.value[:80]!r} does not fit the tag {node.tag.removeprefix(_TAG)}"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return value


def _construct_timestamp(loader: _Loader, node: Any) -> str:
    """Return a timestamp as text, as Kubernetes does."""
    return str(loader.construct_scalar(node))


def _construct_untagged(loader: _Loader, node: Any) -> Any:
    """Return the value of a node with an unknown tag, which has no effect: of a scalar, the text."""
    if isinstance(node, yaml.ScalarNode):
        return str(loader.construct_scalar(node))
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


for _tag in (None, f"{_TAG}set", f"{_TAG}omap", f"{_TAG}pairs"):
    _Loader.add_constructor(_tag, _construct_untagged)
for _tag in (_INT, _FLOAT, _BOOL):
    _Loader.add_constructor(_tag, _constructed)
_Loader.add_constructor(f"{_TAG}timestamp", _construct_timestamp)


class _UnusualError(Exception):
    """A document uses a merge key, a tag or a key that only the full constructor handles."""


def _value(tree: yaml.Node, loader: Any) -> Any:
    """Return the JSON values of a document.

    The full constructor takes three times as long, so it is tried last.
    """
    try:
        try:
            return _plain_value(tree, loader)
        except _UnusualError:
            loader.may_repeat_keys = True
            return _as_json(loader.construct_document(tree))
    except (AttributeError, IndexError, KeyError, OverflowError) as error:  # `!!bool x`, `!!int ""`
        problem = "a value does not fit its tag"
        raise yaml.constructor.ConstructorError(None, None, problem, tree.start_mark) from error


def _plain_value(node: Any, loader: Any) -> Any:
    tag, form = node.tag, node.__class__
    if form is yaml.ScalarNode:
        return node.value if tag == _STR else _plain_scalar(node, loader)
    if tag == _MAP and form is yaml.MappingNode:
        found = {}
        for key, item in node.value:
            if key.__class__ is not yaml.ScalarNode:
                raise _UnusualError
            name = key.value if key.tag == _STR else _as_key(_plain_scalar(key, loader, finite=False))
            # Most values are texts, for which a call takes more time than the rest.
            if item.tag == _STR and item.__class__ is yaml.ScalarNode:
                found[name] = item.value
            else:
                found[name] = _plain_value(item, loader)
        if len(found) != len(node.value):
            loader.may_repeat_keys = True
        return found
    if tag == _SEQ and form is yaml.SequenceNode:
        return [_plain_value(item, loader) for item in node.value]
    raise _UnusualError


def _plain_scalar(node: Any, loader: Any, *, finite: bool = True) -> Any:
    tag, text = node.tag, node.value
    if tag not in _SCALARS:
        raise _UnusualError
    resolved, value = _resolved(text)
    if resolved != tag:
        value = loader.construct_object(node)  # a declared tag
    if finite and tag == _FLOAT and not math.isfinite(value):
        raise NotJsonError
    return value


def _as_json(value: Any) -> Any:
    """Return `value` as `kubectl` sends it: keys and dates are text."""
    if isinstance(value, dict):
        return {_as_key(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_as_json(item) for item in value]
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, float) and not math.isfinite(value):
        raise NotJsonError
    return value if value is None or isinstance(value, (str, bool, int, float)) else str(value)


def _as_key(key: Any) -> str:
    if isinstance(key, bool):
        return str(key).lower()
    if isinstance(key, float):
        # As strconv.FormatFloat writes it.
        return str(int(key)) if key.is_integer() and abs(key) < _MAX_PLAIN else repr(key)
    return "null" if key is None else str(key)


_MAX_PLAIN: Final = 10**21


def json_without_object(text: str) -> bool:
    """Whether `text` is JSON without a Kubernetes object, such as a dashboard or a lock file.

    Decoding JSON takes a tenth of the time that determining the lines of its values takes.
    """
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return not (isinstance(value, dict) and value.get("apiVersion") and value.get("kind"))


def _valid_json(text: str) -> str | None:
    """Return JSON as YAML: without tabs, which are never inside strings, and with surrogate pairs decoded.

    None for anything but valid JSON.
    """
    if text.lstrip()[:1] in ("{", "["):
        with contextlib.suppress(ValueError):
            try:
                json.loads(text)
            except RecursionError:
                raise TooLargeError from None
            return _SURROGATES.sub(lambda pair: json.loads(f'"{pair[0]}"'), text.replace("\t", " "))
    return None


def _json_stream(text: str) -> list[str]:
    """Return the objects of a stream of JSON, each behind the lines before it; empty for anything else."""
    if not text.lstrip().startswith("{"):
        return []
    decoder = json.JSONDecoder()
    pieces: list[str] = []
    at, line = 0, 0
    while len(pieces) < _MAX_STREAM:
        start = _SPACE.match(text, at).end()  # type: ignore[union-attr]
        line += text.count("\n", at, start)
        if start == len(text):
            return pieces
        try:
            _, at = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            break
        pieces.append("\n" * line + text[start:at])
        line += text.count("\n", start, at)
    return []


_MAX_STREAM: Final = 1_000
_SPACE: Final = re.compile(r"\s*")


def _may_have_alias(text: str) -> bool:
    """Whether the name of an anchor follows an asterisk; scalars may contain that too."""
    anchors = set(_ANCHOR.findall(text))
    return bool(anchors) and not anchors.isdisjoint(_ALIAS.findall(text))


def _bad_number_line(tree: yaml.Node) -> int:
    """Return the line, from 0, of the first number that is not finite."""
    for node in nodes_below(tree):
        if node.tag == _FLOAT and str(node.value).lstrip("+-").lower() in (".inf", ".nan"):
            return node.start_mark.line
    return tree.start_mark.line
