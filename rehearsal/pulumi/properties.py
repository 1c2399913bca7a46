"""Property values as they travel between program, engine, providers and state.

On the wire a value is a ``google.protobuf.Struct`` in which unknowns, secrets, resource references and
assets carry signature keys (``sdk/go/common/resource/properties.go``). Here they are plain Python values
(``None``, ``bool``, ``int``, ``float``, ``str``, ``list``, ``dict``) plus the four marker types below.

The SDK has a type of its own for this, ``pulumi.provider.experimental.PropertyValue``. It was measured
against this module and is not sufficient: as of SDK 3.272 marshalling a computed value raises ``ValueError``,
hashing one raises ``TypeError``, and every leaf has a wrapper object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from policies.api import UNKNOWN as UNKNOWN
from policies.api import Path as Path
from policies.api import Unknown as Unknown
from policies.api import format_path as format_path

if TYPE_CHECKING:
    from google.protobuf import struct_pb2

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 (a marker, not a secret)
RESOURCE_SIGNATURE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT_SIGNATURE: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
ASSET_SIGNATURE: Final = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE_SIGNATURE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
UNKNOWN_SENTINEL: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# One sentinel per type exists; the SDKs send the string one and accept any.
_UNKNOWN_SENTINELS: Final = frozenset(
    {
        UNKNOWN_SENTINEL,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)

_SENTINEL_LENGTH: Final = len(UNKNOWN_SENTINEL)
# The marker that functions without a model return for texts; a program may insert it into a longer text.
_UNKNOWN_TEXT: Final = "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7"

# Any JSON-like value, or one of the markers below.
Value = Any
Properties = dict[str, Any]


@dataclass(frozen=True)
class Secret:
    """A value that is encrypted in state and masked in every display."""

    element: Any

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True)
class ResourceReference:
    """A reference to another resource, for example in a component's output."""

    urn: str
    id: Any = None
    package_version: str = ""


@dataclass(frozen=True)
class Asset:
    """A file, string or archive; `body` holds the fields beside the signature, as they came."""

    signature: str
    body: tuple[tuple[str, Any], ...]

    @property
    def fields(self) -> dict[str, Any]:
        return dict(self.body)

    @property
    def hash(self) -> str:
        """Return the SHA-256 of the content in hexadecimal; empty if it was not computed."""
        return str(self.fields.get("hash", ""))

    def same_content(self, other: Asset) -> bool:
        """Return whether both have the same content, whatever its source (``Equals`` in the Pulumi SDK)."""
        if self.hash and other.hash:
            return self.signature == other.signature and self.hash == other.hash
        return self == other


def decode(struct: struct_pb2.Struct) -> Properties:
    """Return the Python form of a wire struct. Integral numbers become ``int``, as state files write them."""
    return {key: decode_value(value) for key, value in struct.fields.items()}


def decode_value(value: struct_pb2.Value) -> Value:
    match value.WhichOneof("kind"):
        case "string_value":
            text = value.string_value
            # Shorter texts cannot hold a marker; most are.
            if len(text) < _SENTINEL_LENGTH:
                return text
            return UNKNOWN if text in _UNKNOWN_SENTINELS or _UNKNOWN_TEXT in text else text
        case "bool_value":
            return value.bool_value
        case "number_value":
            return _number(value.number_value)
        case "list_value":
            return [decode_value(item) for item in value.list_value.values]
        case "struct_value":
            return _decode_object(value.struct_value)
        case _:
            return None


def _number(number: float) -> int | float:
    """Return an integral `number` as the integer that Go's JSON has for it: the shortest digits."""
    if not number.is_integer() or abs(number) >= 1e21:  # which Go writes with an exponent
        return number
    return int(number) if abs(number) < 2**53 else int(Decimal(repr(number)))


def _decode_object(struct: struct_pb2.Struct) -> Value:
    fields = struct.fields
    if SIGNATURE not in fields:
        return decode(struct)
    body = {key: decode_value(value) for key, value in fields.items() if key != SIGNATURE}
    match fields[SIGNATURE].string_value:
        case x if x == SECRET_SIGNATURE:
            return Secret(body.get("value"))
        case x if x == RESOURCE_SIGNATURE:
            return ResourceReference(body["urn"], body.get("id"), body.get("packageVersion", ""))
        case x if x == OUTPUT_SIGNATURE:
            element = body.get("value", UNKNOWN)
            return Secret(element) if body.get("secret") else element
        case signature:
            return Asset(signature, tuple(sorted(body.items())))


def encode(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """Return the wire form of `properties`; the inverse of :func:`decode`."""
    from google.protobuf import struct_pb2  # 3 MB, which the reader of stack files does not need

    struct = struct_pb2.Struct()
    for key, value in properties.items():
        _encode_into(struct.fields[key], value)
    return struct


def encode_value(value: Value) -> struct_pb2.Value:
    from google.protobuf import struct_pb2

    out = struct_pb2.Value()
    _encode_into(out, value)
    return out


def _encode_into(out: struct_pb2.Value, value: Value) -> None:
    match value:  # the most frequent types first
        case str():
            out.string_value = value
        case dict():
            out.struct_value.SetInParent()
            for key, item in value.items():
                _encode_into(out.struct_value.fields[key], item)
        case list() | tuple():
            out.list_value.SetInParent()
            for item in value:
                _encode_into(out.list_value.values.add(), item)
        case bool():
            out.bool_value = value
        case int() | float():
            out.number_value = value
        case None:
            from google.protobuf import struct_pb2

            out.null_value = struct_pb2.NULL_VALUE
        case Unknown():
            out.string_value = UNKNOWN_SENTINEL
        case Secret(element):
            _encode_signed(out, SECRET_SIGNATURE, {"value": element})
        case ResourceReference(urn, id_, version):
            _encode_signed(out, RESOURCE_SIGNATURE, {"urn": urn, "id": id_, "packageVersion": version})
        case Asset(signature, body):
            _encode_signed(out, signature, dict(body))
        case Mapping():
            _encode_into(out, dict(value))
        case _:
            raise TypeError(f"not a property value: {type(value).__name__}")


def _encode_signed(out: struct_pb2.Value, signature: str, body: Mapping[str, Any]) -> None:
    out.struct_value.fields[SIGNATURE].string_value = signature
    for key, item in body.items():
        _encode_into(out.struct_value.fields[key], item)


def unwrap(value: Value) -> Value:
    """Return `value` with every secret replaced by its content; unknowns are unchanged."""
    # Called for every property of every resource: plain values first.
    if isinstance(value, (str, bool, float)):
        return value
    if isinstance(value, dict):
        return {key: unwrap(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unwrap(item) for item in value]
    return unwrap(value.element) if isinstance(value, Secret) else value


def with_leaves(value: Value, change: Callable[[Value], Value]) -> Any:
    """Return `value` with the result of `change` in place of every leaf; secrets stay secret."""
    match value:
        case Secret(element):
            return Secret(with_leaves(element, change))
        case dict():
            return {key: with_leaves(item, change) for key, item in value.items()}
        case list():
            return [with_leaves(item, change) for item in value]
        case _:
            return change(value)


def without_references(value: Value) -> Any:
    """Return `value` with the id of a resource in place of a reference to it, or its URN if it has no id.

    This is the form for providers and policy packs without support for references.
    """
    return with_leaves(value, _without_reference)


def without_unknowns(value: Value) -> Any:
    """Return `value` without the items and properties that are unknown."""
    match value:
        case Secret(element):
            return Secret(without_unknowns(element))
        case dict():
            return {key: without_unknowns(item) for key, item in value.items() if _open(item) is not UNKNOWN}
        case list():
            return [without_unknowns(item) for item in value if _open(item) is not UNKNOWN]
        case _:
            return value


def _without_reference(leaf: Value) -> Value:
    if not isinstance(leaf, ResourceReference):
        return leaf
    return leaf.urn if leaf.id is None else leaf.id


def leaves(value: Value, path: Path = ()) -> Iterator[tuple[Path, Value]]:
    """Yield every leaf with its path. Markers are leaves; so are empty lists and empty objects."""
    match value:
        case dict() if value:
            for key, item in value.items():
                yield from leaves(item, (*path, key))
        case list() if value:
            for index, item in enumerate(value):
                yield from leaves(item, (*path, index))
        case _:
            yield path, value


def contains(value: Value, test: Callable[[Value], bool]) -> bool:
    """Return whether `test` holds for any leaf of `value`, including leaves of secrets."""
    return any(
        test(leaf) or (isinstance(leaf, Secret) and contains(leaf.element, test)) for _, leaf in leaves(value)
    )


def contains_unknown(value: Value) -> bool:
    return contains(value, lambda leaf: leaf is UNKNOWN)


def contains_secret(value: Value) -> bool:
    return contains(value, lambda leaf: isinstance(leaf, Secret))


def with_secrets_of(value: Value, model: Value) -> Any:
    """Return `value` with a secret wherever `model` has one (``annotateSecrets`` in Pulumi)."""
    if isinstance(value, Secret):
        return value
    if isinstance(model, Secret):
        return Secret(value)
    if isinstance(value, dict) and isinstance(model, dict):
        return {key: with_secrets_of(item, model.get(key)) for key, item in value.items()}
    if isinstance(value, list) and isinstance(model, list):
        if len(value) != len(model) and contains_secret(model):
            # It is unknown which elements were added or removed: the whole list is one secret.
            return Secret(value)
        return [
            with_secrets_of(item, model[index] if index < len(model) else None)
            for index, item in enumerate(value)
        ]
    return value


def with_new_secrets_of(value: Value, model: Value, before: Value) -> Any:
    """`value` with a secret wherever `model` has one and `before`, an earlier `model`, has none."""
    if isinstance(value, Secret) or isinstance(before, Secret):
        return value
    if isinstance(model, Secret):
        return Secret(value)
    if isinstance(value, dict) and isinstance(model, dict):
        earlier: Any = before if isinstance(before, dict) else {}
        return {
            key: with_new_secrets_of(item, model.get(key), earlier.get(key)) for key, item in value.items()
        }
    if isinstance(value, list) and isinstance(model, list):
        known: list[Any] = before if isinstance(before, list) else []
        if len(value) != len(model):
            return Secret(value) if _secret_paths(model) - _secret_paths(known) else value
        return [
            with_new_secrets_of(item, model[index], known[index] if index < len(known) else None)
            for index, item in enumerate(value)
        ]
    return value


def _secret_paths(value: Value) -> set[Path]:
    return {path for path, leaf in leaves(value) if isinstance(leaf, Secret)}


_PART = re.compile(r'\.*(?:\["(?P<key>(?:\\"|[^"])*)"\]|\[(?P<index>\*|[+-]?[0-9]+)\]|(?P<name>[^.\[]+))')


def parse_path(text: str) -> Path:
    """The inverse of :func:`format_path`; ``*`` stays a part of its own. Raises ValueError.

    It accepts what ``parsePropertyPath`` of ``sdk/go/common/resource/properties_path.go`` accepts, such as a
    dot before a bracket.
    """
    parts: list[str | int] = []
    at = 0
    while at < len(text):
        found = _PART.match(text, at)
        if found is None or text[0] == ".":
            raise ValueError(f"{text!r} is not a property path: error at {text[at:]!r}")
        key, index, name = found.group("key", "index", "name")
        if key is not None:
            parts.append(key.replace('\\"', '"'))
        elif index is not None:
            parts.append(index if index == "*" else int(index))
        else:
            parts.append(name)
        at = found.end()
    return tuple(parts)


def equal(one: Value, other: Value) -> bool:
    """Return whether two values are equal, secretness included.

    This is ``DeepEquals`` of the engine's properties.
    """
    match one, other:
        case Secret(a), Secret(b):
            return equal(a, b)
        case Asset(), Asset():
            return one.same_content(other)
        case dict(), dict():
            return one.keys() == other.keys() and all(equal(item, other[key]) for key, item in one.items())
        case list(), list():
            return len(one) == len(other) and all(map(equal, one, other))
        case _:
            # In Python, True equals 1.
            return isinstance(one, bool) is isinstance(other, bool) and one == other


class Change(StrEnum):
    """Kind of change of one property."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


def differences(old: Value, new: Value, path: Path = ()) -> dict[Path, Change]:
    """Return the paths at which `new` differs from `old`.

    Secretness alone is not a difference; an unknown is. Objects are compared key by key and lists element by
    element; a key that is absent equals ``None``.
    """
    old, new = _open(old), _open(new)
    if isinstance(old, dict) and isinstance(new, dict):
        found: dict[Path, Change] = {}
        for key in [*old, *(key for key in new if key not in old)]:
            found |= differences(old.get(key), new.get(key), (*path, key))
        return found
    if isinstance(old, list) and isinstance(new, list):
        found = {}
        for index in range(max(len(old), len(new))):
            if index >= len(old):
                found[(*path, index)] = Change.ADD
            elif index >= len(new):
                found[(*path, index)] = Change.DELETE
            else:
                found |= differences(old[index], new[index], (*path, index))
        return found
    if new is UNKNOWN:
        return {path: Change.ADD if old is None else Change.UPDATE}
    if isinstance(old, Asset) and isinstance(new, Asset):
        return {} if old.same_content(new) else {path: Change.UPDATE}
    if old == new and isinstance(old, bool) == isinstance(new, bool):
        return {}
    if old is None:
        return {path: Change.ADD}
    return {path: Change.DELETE if new is None else Change.UPDATE}


def _open(value: Value) -> Value:
    while isinstance(value, Secret):
        value = value.element
    return value
