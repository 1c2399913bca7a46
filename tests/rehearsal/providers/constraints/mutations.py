"""Mutate one attribute of a valid resource: to values that the provider's facts forbid or allow.

The facts are read from their file by Terraform path, independently of the code under test.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from rehearsal.providers.constraints.names import Attribute
from rehearsal.providers.schema import MapOf, resource_type
from rehearsal.pulumi.properties import UNKNOWN
from tests.rehearsal.providers.constraints.stacks import mapped

_MALFORMED = {
    "rfc3339": "2026-13-01",
    "cidr": "10.0.0.0",
    "ip": "10.0.0",
    "go-duration": "an hour",
    "seconds-duration at least 86400s": "60s",
    "hh:mm": "24:30",
    "hh:00": "03:30",
    "json": "{",
    "iam-policy-json": "{",
    "iam-member": "somebody",
    "trailing-dot": "example.com",
    "non-empty": "",
    "base64": "no base64!",
}
_IDS = frozenset({"account_id", "zone_id"})
# Attributes whose valid values depend on other attributes, by the rules of the API.
_JOINT = frozenset(
    {
        ("cloudflare:index/dnsRecord:DnsRecord", "content"),
        ("cloudflare:index/dnsRecord:DnsRecord", "type"),
        ("gcp:compute/securityPolicy:SecurityPolicy", "rule.priority"),
        ("gcp:compute/sSLPolicy:SSLPolicy", "profile"),
    }
)
_CONDITIONS = ("only_where", "not_where", "required_where")
_GROUPS = (
    "conflicts_with", "exactly_one_of", "at_least_one_of", "required_with", "only_if", *_CONDITIONS,
)  # fmt: skip


@dataclass(frozen=True)
class Mutation:
    """Inputs with one changed attribute: the property path, a description of the change, and the inputs."""

    token: str
    path: str
    how: str
    inputs: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.token} {self.path}: {self.how}"


def invalid(token: str, inputs: dict[str, Any]) -> Iterator[Mutation]:
    """Yield every mutation of one attribute that the provider's facts forbid."""
    for path, attribute, holder, name in attributes(token, inputs):
        for how, value in _wrong_values(attribute, holder.get(name)):
            yield mutation(token, inputs, path, how, value)
        if attribute.facts.get("required") and _is_required(token, path) and holder.get(name) is not None:
            yield mutation(token, inputs, path, "removed", None)
        if holder.get(name) is None:
            yield from _conflicting(token, inputs, path, attribute, holder)


def valid(token: str, inputs: dict[str, Any]) -> Iterator[Mutation]:
    """Yield mutations of one attribute to another value that the facts allow."""
    for path, attribute, holder, name in attributes(token, inputs):
        before = holder.get(name)
        if before is None or before is UNKNOWN or any(attribute.facts.get(group) for group in _GROUPS):
            continue
        if attribute.path in _conditions(token) or attribute.path in _IDS:
            continue  # other attributes depend on the value, or the API restricts its format
        if attribute.resource.api.get(attribute.path) or (token, attribute.path) in _JOINT:
            continue  # the API is stricter than the provider
        for how, value in _right_values(attribute.facts, before):
            yield mutation(token, inputs, path, how, value)


def _wrong_values(attribute: Attribute, before: Any) -> Iterator[tuple[str, Any]]:
    facts, kind = attribute.facts, attribute.facts["type"].lower()
    if attribute.children or any(facts.get(group) for group in _GROUPS):
        if isinstance(before, list) and before and facts.get("max_items", 1) > 1:
            yield "one item too many", _distinct(attribute, before[0], facts["max_items"] + 1)
        return
    if kind in ("string", "dynamic"):
        if "enum" in facts:
            yield "not in the enumeration", "no-such-value"
        if facts.get("patterns"):
            yield "breaks the pattern", "\x01 ~"
        if "max_length" in facts:
            yield "too long", "a" * (facts["max_length"] + 1)
        if facts.get("format") in _MALFORMED:
            yield f"not {facts['format']}", _MALFORMED[facts["format"]]
    if kind in ("int", "int64", "float", "float64"):
        if "min" in facts:
            yield "below the range", facts["min"] - 1
        if "max" in facts:
            yield "above the range", facts["max"] + 1
    if kind in ("list", "set") and (element := facts.get("elements")):
        if "enum" in element:
            yield "an item not in the enumeration", ["no-such-value"]
        if element.get("format") in _MALFORMED:
            yield "a malformed item", [_MALFORMED[element["format"]]]
    if facts.get("max_items", 0) > 1 and isinstance(before, list) and before:
        yield "one item too many", _distinct(attribute, before[0], facts["max_items"] + 1)


def _distinct(attribute: Attribute, item: Any, number: int) -> list[Any]:
    """Return `number` items that differ in a text, if possible, because a set contains equal items once."""
    if isinstance(item, dict):
        texts = (
            name
            for name, inner in attribute.children.items()
            if isinstance(item.get(name), str) and item[name] is not UNKNOWN and "enum" not in inner.facts
        )
        if (name := next(texts, None)) is not None:
            return [{**item, name: f"{item[name]}{index or ''}"} for index in range(number)]
    if isinstance(item, str) and item is not UNKNOWN and "enum" not in attribute.facts.get("elements", {}):
        return [f"{item}{index or ''}" for index in range(number)]
    return [item] * number


def _conflicting(
    token: str,
    inputs: dict[str, Any],
    path: tuple[str | int, ...],
    attribute: Attribute,
    holder: dict[str, Any],
) -> Iterator[Mutation]:
    """Yield a mutation that sets an attribute which conflicts with a sibling that is set."""
    parent = attribute.path.rpartition(".")[0]
    siblings = {
        item.path: name
        for name, item in _siblings(token, path).items()
        if item.path.rpartition(".")[0] == parent
    }
    for kind in ("conflicts_with", "exactly_one_of"):
        for other in attribute.facts.get(kind, ()):
            name = siblings.get(other)
            if other != attribute.path and name and holder.get(name) not in (None, UNKNOWN, []):
                value = sample(attribute)
                if value is not None:
                    yield mutation(token, inputs, path, f"set beside {name}", value)
                    return


def _is_required(token: str, path: tuple[str | int, ...]) -> bool:
    """Return whether the SDK requires the property. Some top-level names are optional: they are generated."""
    declared = resource_type(token)
    assert declared is not None
    return len(path) > 1 or declared.inputs.fields[str(path[0])].required


@cache
def _conditions(token: str) -> frozenset[str]:
    """Return the paths of attributes that others depend on."""
    found = set[str]()
    for facts in mapped(token).resource.attributes.values():
        found |= {facts["only_if"][0]} if "only_if" in facts else set()
        found |= {rule[0] for kind in _CONDITIONS for rule in facts.get(kind, ())}
    return frozenset(found)


def _siblings(token: str, path: tuple[str | int, ...]) -> dict[str, Attribute]:
    attributes = dict(mapped(token).attributes)
    for step in path[:-1]:
        if isinstance(step, str) and step in attributes:
            attributes = attributes[step].children
    return attributes


def sample(attribute: Attribute) -> Any:
    """Return a valid value of the attribute; None for blocks and attributes with a format or pattern."""
    facts, kind = attribute.facts, attribute.facts["type"].lower()
    if attribute.children or facts.get("format") or facts.get("patterns"):
        return None
    if "enum" in facts:
        return next((value for value in facts["enum"] if value != ""), None)
    match kind:
        case "string":
            return "a"
        case "bool":
            return True
        case "int" | "int64" | "float" | "float64":
            return facts.get("min", 1)
        case "list" | "set" if facts.get("elements") is None:
            return ["a"]
        case _:
            return None


def _right_values(facts: Any, before: Any) -> Iterator[tuple[str, Any]]:
    kind = facts["type"].lower()
    if "enum" in facts and kind in ("string", "dynamic"):
        others = [value for value in facts["enum"] if value not in (before, "")]
        yield from (("another value of the enumeration", value) for value in others[:3])
    elif kind == "bool" and "enum" not in facts:
        yield "the other boolean", before not in (True, "true")
    elif kind == "string" and not facts.keys() & {"patterns", "format", "max_length", "enum", "min_length"}:
        if isinstance(before, str):
            yield "another text", f"{before}x"
    elif kind in ("int", "int64", "float", "float64") and ("min" in facts or "max" in facts):
        bounds = {facts.get("min", before), facts.get("max", before)} - {before}
        yield from (("a bound of the range", value) for value in sorted(bounds))
    elif (
        kind in ("list", "set")
        and isinstance(before, list)
        and len(before) > max(facts.get("min_items", 1), 1)
    ):
        yield "one item less", before[:-1]
    elif kind == "string" and "max_length" in facts and not facts.get("patterns") and not facts.get("format"):
        yield "the longest text", "a" * facts["max_length"]


def attributes(
    token: str, inputs: dict[str, Any]
) -> Iterator[tuple[tuple[str | int, ...], Attribute, dict[str, Any], str]]:
    """Yield (path, attribute, containing object, name) for every attribute of the declared objects."""
    yield from _below(dict(mapped(token).attributes), inputs, ())


def _below(
    attributes: dict[str, Attribute], holder: dict[str, Any], path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], Attribute, dict[str, Any], str]]:
    for name, attribute in attributes.items():
        yield (*path, name), attribute, holder, name
        value = holder.get(name)
        if not attribute.children or isinstance(attribute.type, MapOf):
            continue
        if isinstance(value, dict):
            yield from _below(attribute.children, value, (*path, name))
        elif isinstance(value, list):
            for index, item in enumerate(value[:1]):
                if isinstance(item, dict):
                    yield from _below(attribute.children, item, (*path, name, index))


def mutation(
    token: str, inputs: dict[str, Any], path: tuple[str | int, ...], how: str, value: Any
) -> Mutation:
    changed = copy.deepcopy(inputs)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return Mutation(token, ".".join(map(str, path)), how, changed)


Generator = Callable[[str, dict[str, Any]], Iterator[Mutation]]
