"""Configuration of the pack: the contents of `--policy-pack-config` files and a stack's ``policies:config``.

The form is Pulumi's own: ``{"all": "mandatory", "policy-name": {"enforcementLevel": "advisory", "key": 1}}``.
Layers are merged as the CLI merges them (``pkg/resource/analyzer/config.go``): schema defaults, then what
the pack was constructed with, then the file. Unlike there, an unknown policy or key is an error instead of
being ignored, and all problems are listed at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

# In the order of the protocol's EnforcementLevel.
LEVELS: Final = ("advisory", "mandatory", "disabled", "remediate")
# As in JSON Schema, 1.5 is not an integer and a bool is not a number.
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list, tuple),
    "object": (dict,),
}


@dataclass(frozen=True)
class PolicyShape:
    """Name, default level and schema of a policy."""

    name: str
    level: str
    properties: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    required: tuple[str, ...] = ()


@dataclass(frozen=True)
class PolicySettings:
    """The configuration of one policy after all layers were merged."""

    level: str
    properties: dict[str, Any]


class ConfigurationError(ValueError):
    """Invalid configuration; `problems` has one line for each problem."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.source = source
        self.problems = tuple(problems)
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"the policy configuration in {source} is wrong:{lines}")


def problems_with(policies: Iterable[PolicyShape], layer: object) -> list[str]:
    """Return one line for each problem of one layer of configuration; empty if it is valid."""
    shapes = {policy.name: policy for policy in policies}
    if not isinstance(layer, Mapping):
        return [f"expected an object of policies, got {_kind(layer)}"]
    found: list[str] = []
    for name, value in layer.items():
        if name != "all" and name not in shapes:
            found.append(f"{name}: no such policy{_suggest(str(name), shapes)}")
            continue
        shape = shapes.get(name, PolicyShape("all", "advisory"))
        found.extend(f"{name}: {problem}" for problem in _problems_of_policy(shape, value))
    return found


def _problems_of_policy(shape: PolicyShape, value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield from _problems_of_level(value)
        return
    if not isinstance(value, Mapping):
        yield f"expected a level ({', '.join(LEVELS)}) or an object, got {_kind(value)}"
        return
    for key, item in value.items():
        if key == "enforcementLevel":
            yield from _problems_of_level(item)
        elif key not in shape.properties:
            yield f"no setting {key!r}{_suggest(str(key), shape.properties)}"
        else:
            yield from problems_of_value(shape.properties[key], item, str(key))


def _problems_of_level(value: object) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"the level must be one of {', '.join(LEVELS)}, got {_kind(value)}"
    elif value not in LEVELS:
        yield f"{value!r} is not a level: use one of {', '.join(LEVELS)}"


def problems_of_value(schema: Mapping[str, Any], value: object, path: str) -> Iterator[str]:
    """Yield the problems of `value`, by the part of JSON Schema that policy settings use."""
    kind = schema.get("type")
    if kind is not None and not _is(kind, value):
        yield f"{path} must be of type {kind}, got {_kind(value)}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path} must be one of {', '.join(map(str, schema['enum']))}, got {value!r}"
    if isinstance(value, (int, float)):
        if value < schema.get("minimum", value):
            yield f"{path} must be at least {schema['minimum']}, got {value}"
        if value > schema.get("maximum", value):
            yield f"{path} must be at most {schema['maximum']}, got {value}"
    if isinstance(value, (list, tuple)) and "items" in schema:
        for index, item in enumerate(value):
            yield from problems_of_value(schema["items"], item, f"{path}[{index}]")
    if isinstance(value, Mapping):
        known = schema.get("properties", {})
        rest = schema.get("additionalProperties")
        for key, item in value.items():
            if key in known or isinstance(rest, Mapping):
                yield from problems_of_value(known.get(key, rest), item, f"{path}.{key}")
            elif rest is False:
                yield f"{path} has no setting {key!r}{_suggest(str(key), known)}"


def reconcile(policies: Sequence[PolicyShape], *layers: Mapping[str, Any]) -> dict[str, PolicySettings]:
    """Return the settings of every policy: defaults of its schema, overridden by each layer in order.

    The layers must have passed :func:`problems_with`. Raises ConfigurationError if a required setting is
    missing from all of them.
    """
    result = {
        policy.name: PolicySettings(
            policy.level,
            {key: item["default"] for key, item in policy.properties.items() if "default" in item},
        )
        for policy in policies
    }
    for layer in layers:
        everywhere = _level_of(layer.get("all"))
        for name, settings in result.items():
            given = layer.get(name)
            extra = (
                {k: v for k, v in given.items() if k != "enforcementLevel"}
                if isinstance(given, Mapping)
                else {}
            )
            result[name] = PolicySettings(
                _level_of(given) or everywhere or settings.level, settings.properties | extra
            )
    missing = [
        f"{policy.name}: {key} is required"
        for policy in policies
        for key in policy.required
        if key not in result[policy.name].properties
    ]
    if missing:
        raise ConfigurationError("the merged configuration", missing)
    return result


def _level_of(value: object) -> str | None:
    level = value.get("enforcementLevel") if isinstance(value, Mapping) else value
    return level if isinstance(level, str) else None


def _is(kind: str, value: object) -> bool:
    if isinstance(value, float) and kind == "integer":
        return value.is_integer()  # gRPC structs carry every number as a double
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"a boolean ({value!r})"
    if isinstance(value, (int, float)):
        return f"a number ({value!r})"
    if isinstance(value, str):
        return f"a string ({value!r})"
    return "an object" if isinstance(value, Mapping) else "an array"


def _suggest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
