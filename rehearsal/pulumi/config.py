"""Configuration of a stack: the stack file merged with the defaults in ``Pulumi.yaml``, as text.

The Pulumi CLI passes every value to the program as text: strings as they are, everything else as Go's JSON.
Rules: ``ParseKey`` and ``object.MarshalString`` in ``sdk/go/common/resource/config``, ``mergeConfig`` in
``pkg/workspace/config.go``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rehearsal.pulumi.properties import UNKNOWN_SENTINEL
from rehearsal.pulumi.yaml_reader import BooleanKey, kind_of

# Decrypts one ciphertext; None where the key is not available.
Decrypter = Callable[[str], str | None]

_NOT_ENCRYPTED: Final = "it must be encrypted in the stack file, because Pulumi.yaml declares it secret"
_TYPES: Final = ("string", "integer", "boolean", "array", "object")
_KEYS: Final = ("type", "items", "description", "secret", "default", "value")  # of a declaration


@dataclass(frozen=True)
class Config:
    """Values by full key, such as ``kingdom:network``.

    `secrets` are the keys that hold an encrypted value, at least in part; `unreadable` names those whose
    value could not be decrypted: it is replaced by an unknown. `empty` are the keys that the stack file
    has without a value, which are empty texts.
    `decrypted` are the texts of the encrypted values.
    """

    values: dict[str, str] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    unreadable: frozenset[str] = frozenset()
    empty: tuple[str, ...] = ()
    decrypted: frozenset[str] = frozenset()


def full_key(text: str, project: str) -> str:
    """Return ``namespace:name`` for a key as it is written in a file. Raises ValueError."""
    parts = text.split(":")
    if len(parts) == 3 and parts[1] == "config":  # an old format that is still supported
        return f"{parts[0]}:{parts[2]}"
    if len(parts) > 2:
        raise ValueError("a key has the form namespace:name")
    return text if len(parts) == 2 else f"{project}:{text}"


def merged(
    stack: Mapping[Any, Any], declared: Mapping[Any, Any], project: str, decrypt: Decrypter
) -> tuple[Config, list[str]]:
    """Return the configuration of a stack, and its problems.

    `stack` is the ``config`` of the stack file, `declared` that of ``Pulumi.yaml``.
    """
    problems: list[str] = []
    raw: dict[str, Any] = {}
    empty: list[str] = []
    for name, value in stack.items():
        if not isinstance(name, str) or isinstance(name, BooleanKey):
            problems.append(f"config.{name}: a key must be text; put it in quotes")
            continue
        try:
            key = full_key(name, project)
            # Pulumi reads a key without a value as an empty text (`checkForEmptyConfig` in
            # ``sdk/go/common/workspace/loaders.go``); within objects and lists null stays null.
            text = "" if value is None else value
            if key in raw and not _have_the_same_text(raw[key], text):
                problems.append(
                    f"config.{name}: another spelling of {key} has another value, and the CLI uses one of"
                    " them at random; remove one"
                )
            raw[key] = text
            if value is None and key not in empty:
                empty.append(key)
        except ValueError as error:
            problems.append(f"config.{name}: {error}")
    missing = []
    spellings: dict[str, str] = {}
    for name, spec in declared.items():
        spec = dict[str, Any]() if spec is None else spec
        try:
            key = full_key(str(name), project)
        except ValueError as error:
            problems.append(f"Pulumi.yaml: config.{name}: {error}")
            continue
        if (other := spellings.setdefault(key, str(name))) != str(name):
            problems.append(f"Pulumi.yaml: config.{name}: {other} declares {key} too; remove one declaration")
        own = key.startswith(f"{project}:")
        problems += [f"Pulumi.yaml: config.{name}: {text}" for text in _declaration_problems(spec, own=own)]
        fallback = _fallback(spec)
        if key not in raw:
            if fallback is not None:
                raw[key] = fallback
                if isinstance(spec, dict) and spec.get("secret") and isinstance(spec.get("type"), str):
                    problems.append(f"config.{name}: {_NOT_ENCRYPTED}")
            elif own and isinstance(spec, dict):
                missing.append(str(name))
        elif isinstance(spec, dict) and isinstance(spec.get("type"), str):
            problems += [f"config.{name}: {text}" for text in _mismatches(spec, raw[key])]
    if missing:
        names = ", ".join(missing)
        problems.append(f"config: Pulumi.yaml declares {names} without a default, and no value is set")
    values: dict[str, str] = {}
    secrets: set[str] = set()
    unreadable: set[str] = set()
    decrypted: set[str] = set()

    def decrypt_and_collect(ciphertext: str) -> str | None:
        if (text := decrypt(ciphertext)) is not None:
            decrypted.add(text)
        return text

    for key, value in raw.items():
        try:
            opened = _opened(value, key, decrypt_and_collect, secrets, unreadable)
            values[key] = text_of(opened)
        except ValueError as error:
            problems.append(f"config.{key}: {error}")
    config = Config(
        values, frozenset(secrets), frozenset(unreadable), tuple(empty), decrypted=frozenset(decrypted)
    )
    return config, problems


def _have_the_same_text(one: Any, other: Any) -> bool:
    """Return whether the CLI passes both values as the same text; a value without a text is another error."""
    try:
        return text_of(one) == text_of(other)
    except ValueError:
        return True


def _fallback(spec: Any) -> Any:
    """Return the default that ``Pulumi.yaml`` declares for a key; None if it declares none."""
    if not isinstance(spec, dict):
        return spec
    value = spec.get("value")
    return spec.get("default") if value is None else value


def _declaration_problems(spec: Any, *, own: bool) -> list[str]:
    if not isinstance(spec, dict):
        if isinstance(spec, (str, bool, list)) or (isinstance(spec, int) and -(2**63) <= spec < 2**63):
            return []
        key = "default" if own else "value"
        return [f"{kind_of(spec)} needs the long form, {{{key}: {spec}}}"]
    kind, value, default = spec.get("type"), spec.get("value"), spec.get("default")
    found = [f"{key} is unknown; the keys are {', '.join(_KEYS)}" for key in spec if key not in _KEYS]
    if value is not None and default is not None:
        found.append("it has both a default and a value; keep one")
    if kind is not None and kind not in _TYPES:
        found.append(f"type must be one of {', '.join(_TYPES)}, not {kind!r}")
        return found
    if own:
        if kind == "array" and not isinstance(spec.get("items"), dict):
            found.append("an array declares the type of its items under `items`")
        elif (
            kind is not None
            and default is not None
            and not _has_type(kind, spec.get("items"), default, declared=True)
        ):
            found.append(f"its default is not of the type {_type_name(spec)}")
        return found
    if kind is not None:
        found.append("only keys of the project's own namespace have a type; give a `value`")
    elif default is not None:
        found.append("only keys of the project's own namespace have a default; use `value`")
    elif value is None:
        found.append("a key of another namespace needs a `value`")
    return found


def _mismatches(spec: Mapping[str, Any], value: Any) -> list[str]:
    if _is_secure(value):
        return []
    if spec.get("secret"):
        return [_NOT_ENCRYPTED]
    if not _has_type(str(spec["type"]), spec.get("items"), value):
        return [f"must be of the type {_type_name(spec)}, not {kind_of(value)}"]
    return []


def _type_name(spec: Mapping[str, Any]) -> str:
    items = spec.get("items")
    return f"array<{_type_name(items)}>" if isinstance(items, dict) else str(spec.get("type"))


def _has_type(kind: str, items: Any, value: Any, *, declared: bool = False) -> bool:
    """Return whether `value` has the type; one that Pulumi.yaml has `declared` is not taken as text."""
    match kind:
        case "string":
            # Values of a stack file are text, whatever their YAML type.
            return isinstance(value, str if declared else (str, int, float, bool))
        case "integer":
            try:
                return not isinstance(value, bool) and int(value) == float(value)
            except (TypeError, ValueError):
                return False
        case "boolean":
            return isinstance(value, bool) or value in ("true", "false")
        case "array":
            if not isinstance(value, list):
                return False
            inner = items if isinstance(items, dict) else {}
            kind, items = str(inner.get("type")), inner.get("items")
            return all(_has_type(kind, items, item, declared=declared) for item in value)
        case "object":
            return isinstance(value, dict)
        case _:
            return False


def _is_secure(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"} and isinstance(value["secure"], str)


def _opened(value: Any, key: str, decrypt: Decrypter, secrets: set[str], unreadable: set[str]) -> Any:
    """Return `value` with encrypted parts decrypted; record keys that are secret or cannot be decrypted."""
    if _is_secure(value):
        secrets.add(key)
        plain = decrypt(value["secure"])
        if plain is None:
            unreadable.add(key)
            return UNKNOWN_SENTINEL
        return plain
    if isinstance(value, dict):
        return {
            _key_text(name): _opened(item, key, decrypt, secrets, unreadable) for name, item in value.items()
        }
    if isinstance(value, list):
        return [_opened(item, key, decrypt, secrets, unreadable) for item in value]
    # The CLI reads numbers again from their JSON, where a negative zero is the integer 0.
    return 0 if isinstance(value, float) and value == 0 else value


def _key_text(name: Any) -> str:
    return name if isinstance(name, str) else "<nil>" if name is None else text_of(name)


def text_of(value: Any) -> str:
    """Return a configuration value as the CLI passes it to a program. Raises ValueError."""
    return str(value) if isinstance(value, str) else go_json(value)


def go_json(value: Any, *, nested: bool = False) -> str:
    """Return `value` as Go's ``encoding/json`` writes it: keys sorted, no blanks, HTML characters escaped."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            # Within a structure, what does not fit 64 bits with a sign is read back as a float.
            return _go_float(float(value)) if nested and not -(2**63) <= value < 2**63 else str(value)
        case float():
            return _go_float(value)
        case str():
            return _go_string(value)
        case list():
            return "[" + ",".join(go_json(item, nested=True) for item in value) + "]"
        case dict():
            items = {_key_text(key): go_json(item, nested=True) for key, item in value.items()}
            return "{" + ",".join(f"{_go_string(key)}:{items[key]}" for key in sorted(items)) + "}"
        case _:
            raise ValueError(f"{value!r} cannot be configuration")


def _go_float(number: float) -> str:
    if math.isnan(number) or math.isinf(number):
        raise ValueError(f"{number} cannot be configuration: JSON has no such number")
    if number == 0:
        return "-0" if math.copysign(1, number) < 0 else "0"
    if 1e-6 <= abs(number) < 1e21:
        return _plain_float(number)
    mantissa, _, exponent = repr(number).partition("e")
    if not exponent:
        mantissa, _, exponent = f"{number:e}".partition("e")
        mantissa = repr(float(mantissa))
    mantissa = mantissa.removesuffix(".0")
    sign, power = exponent[0] if exponent[0] in "+-" else "+", exponent.lstrip("+-").lstrip("0")
    return f"{mantissa}e{sign}{power}"


def _plain_float(number: float) -> str:
    """Return the shortest digits that represent `number`, without an exponent."""
    from decimal import Decimal

    text = format(Decimal(repr(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _go_string(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    for mark in ("<", ">", "&", "\u2028", "\u2029"):
        quoted = quoted.replace(mark, f"\\u{ord(mark):04x}")
    return quoted
