"""Checks of a resource's inputs against the rules of its provider; each violation has a path.

Required properties are checked with the types instead, because the SDK of the same version declares them.
Unknown values satisfy every rule, as in a provider's validation before the plan. Secret values are checked,
but no message contains them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from rehearsal.providers.constraints.formats import fault, label_fault
from rehearsal.providers.constraints.names import Attribute, MappedType
from rehearsal.providers.constraints.values import value_faults
from rehearsal.providers.schema import ListOf, MapOf
from rehearsal.providers.validation import DEFAULTS_KEY, Problem, describe, problem, suggestion
from rehearsal.pulumi.properties import UNKNOWN, Path, Secret, contains_unknown, format_path, unwrap

_VALUE_RULES: Final = ("enum", "min", "max", "patterns", "min_length", "max_length")


@dataclass(frozen=True)
class _Scope:
    """The object that is checked, or one that contains it.

    `path` is its Terraform path and `position` its path in the inputs; `attributes` are by Pulumi name.
    `computed` is true if the provider computes the object, or a containing one, when it is absent; the SDK
    declares no property in such an object as required.
    """

    path: str
    values: Mapping[str, Any]
    attributes: Mapping[str, Attribute]
    position: Path
    computed: bool = False


@dataclass(frozen=True)
class _ApiProblem(Problem):
    """A violation that the provider accepts and the API refuses."""


def violations(mapped: MappedType, inputs: Mapping[str, Any], provider: str, api: str) -> Iterator[Problem]:
    """Yield violations that the `provider` or the `api` would report; each reason ends with its name.

    Labels are not among them, because the provider sends them unchecked: see :func:`refused_labels`.
    """
    for found in _object(_Scope("", inputs, mapped.attributes, ()), ()):
        source = f"the {api}" if isinstance(found, _ApiProblem) else provider
        yield Problem(found.path, f"{found.reason} ({source} validates this)")


def refused_labels(mapped: MappedType, inputs: Mapping[str, Any], api: str) -> Iterator[Problem]:
    """Yield the labels that the `api` would refuse, for warnings."""
    for path, rules in mapped.resource.api.items():
        if rules.get("format") == "labels":
            for labels, position in _maps_at(mapped.attributes, inputs, path.split("."), ()):
                for found in _labels(rules, labels, position):
                    yield Problem(found.path, f"{found.reason} (the {api} refuses this)")


def _maps_at(
    attributes: Mapping[str, Attribute], values: Any, steps: Sequence[str], position: Path
) -> Iterator[tuple[Mapping[str, Any], Path]]:
    """Yield each map at a Terraform path with its position. Values inside a secret are marked as secret."""
    if isinstance(values, Secret):
        values = values.element
        if isinstance(values, Mapping):
            values = {key: Secret(value) for key, value in values.items()}
        elif isinstance(values, list):
            values = [Secret(value) for value in values]
        yield from _maps_at(attributes, values, steps, position)
    elif isinstance(values, list):
        for index, item in enumerate(values):
            yield from _maps_at(attributes, item, steps, (*position, index))
    elif isinstance(values, Mapping):
        if not steps:
            yield values, position
        elif (attribute := _named(attributes, steps[0])) is not None:
            below = (*position, attribute.name)
            yield from _maps_at(attribute.children, values.get(attribute.name), steps[1:], below)


def _object(scope: _Scope, around: tuple[_Scope, ...]) -> Iterator[Problem]:
    scopes, path = (*around, scope), scope.position
    for name, attribute in scope.attributes.items():
        value = scope.values.get(name)
        below = (*path, name)
        if value is None:
            yield from _groups(attribute, scopes, path, name)
            yield from _required_where(attribute, scopes, below)
            if scope.computed and attribute.facts.get("required"):
                yield problem(below, "missing required property")
            continue
        if (
            attribute.facts.get("read_only") and path
        ):  # at the top, the SDK of a newer provider has it as input
            yield problem(below, "cannot be set: the provider assigns its value")
            continue
        if value == [] and attribute.facts.get("required") and _is_block(attribute):
            yield problem(below, "missing required property: at least one item")  # an argument needs a block
            continue
        yield from _references(attribute, value, scopes, below)
        yield from _groups(attribute, scopes, path, name)
        yield from _value(attribute, value, scopes, below)


def _is_block(attribute: Attribute) -> bool:
    """Whether a list or set consists of blocks; the plugin framework has attributes with objects too."""
    return bool(attribute.children) and (not attribute.framework or attribute.facts["type"].endswith("Block"))


def _value(attribute: Attribute, value: Any, scopes: tuple[_Scope, ...], path: Path) -> Iterator[Problem]:
    if isinstance(value, Secret):
        for found in _value(attribute, value.element, scopes, path):
            yield replace(found, reason="the secret value is not one that is accepted here")
        return
    if value is UNKNOWN:
        return
    facts = attribute.facts
    if (types := facts.get("types")) is not None and not _is_of(types, value):
        yield problem(path, f"expected a {' or a '.join(types)}, got {describe(value)}")
        return
    if isinstance(value, list):
        yield from _count(facts, value, path)
        for found in _count(attribute.resource.api.get(attribute.path, {}), value, path):
            yield _ApiProblem(found.path, found.reason)
        if attribute.framework and facts["type"].startswith("Set"):
            yield from _duplicates(value, path)
        yield from _listed(attribute, value, scopes, path)
    elif isinstance(value, Mapping):
        if isinstance(attribute.type, ListOf):
            return  # an object in place of a list: the check of types reports it
        if attribute.children and not isinstance(attribute.type, MapOf):
            yield from _object(_inner(attribute, value, path, scopes), scopes)
        else:
            yield from _count(facts, value, path)
            yield from _entries(facts, value, path)
            for key, item in value.items():
                if attribute.children and isinstance(item, Mapping):
                    yield from _object(_inner(attribute, item, (*path, key), scopes), scopes)
    else:
        yield from _plain(attribute, facts, value, path)


def _entries(facts: Mapping[str, Any], values: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Yield violations of the rules for the keys of a map and for its values, which may be lists."""
    for key, value in values.items():
        if key == DEFAULTS_KEY:
            continue
        for reason, _ in value_faults(facts.get("keys", {}), key):
            yield problem((*path, key), f"the key {reason}")
        rules = facts.get("values", {})
        if isinstance(value, list):
            yield from _count(rules, value, (*path, key))
        for index, item in enumerate(value if isinstance(value, list) else ()):
            if isinstance(item, str) and item is not UNKNOWN:
                yield from (problem((*path, key, index), reason) for reason, _ in value_faults(rules, item))


def _is_of(types: Sequence[str], value: Any) -> bool:
    """Whether the value of a property of any type has one of `types` (`AllowedSubtypes`)."""
    if isinstance(value, str):
        return "string" in types
    return "number" in types and isinstance(value, (int, float)) and not isinstance(value, bool)


def _duplicates(items: Sequence[Any], path: Path) -> Iterator[Problem]:
    """Yield items that equal an earlier one in a set of a provider that uses the plugin framework.

    The framework refuses them (`SetType.Validate`) unless they contain an unknown value; the older SDK takes
    them as one.
    """
    before: list[Any] = []
    for index, item in enumerate(items):
        if contains_unknown(item):
            continue
        if (known := unwrap(item)) in before:
            yield problem((*path, index), "equals an earlier item; a set contains an item once")
        before.append(known)


def _inner(
    attribute: Attribute, values: Mapping[str, Any], position: Path, scopes: tuple[_Scope, ...]
) -> _Scope:
    computed = scopes[-1].computed or bool(attribute.facts.get("computed"))
    return _Scope(attribute.path, values, attribute.children, position, computed)


def _plain(attribute: Attribute, facts: Mapping[str, Any], value: Any, path: Path) -> Iterator[Problem]:
    """Yield violations of one plain value: of the provider's rules, else of the API's."""
    ignore_case = _ignores_case(attribute)
    faults = list(value_faults(facts, value, ignore_case=ignore_case))
    for reason, allowed in faults:
        yield problem(path, reason + suggestion(str(value), allowed))
    if not faults and (rules := attribute.resource.api.get(attribute.path)):
        for reason, allowed in value_faults(rules, value, ignore_case=ignore_case):
            yield _ApiProblem(format_path(path), reason + suggestion(str(value), allowed))


def _labels(rules: Mapping[str, Any], labels: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    """Yield violations of the API's rules for labels, at the label's key or, for their number, at the map."""
    yield from _count(rules, labels, path)
    for key, value in labels.items():
        plain, secret = value, isinstance(value, Secret)
        while isinstance(plain, Secret):
            plain = plain.element
        if key != DEFAULTS_KEY and (reason := label_fault(key, plain)):
            reason = "the label's secret value is not one that is accepted here" if secret else reason
            yield problem((*path, key), reason)


def _listed(
    attribute: Attribute, items: Sequence[Any], scopes: tuple[_Scope, ...], path: Path
) -> Iterator[Problem]:
    rules = _element_rules(attribute.facts)
    if attribute.facts.get("format") == "descending-priority" and (
        reason := fault("descending-priority", items)
    ):
        yield problem(path, reason)
    for index, item in enumerate(items):
        below = (*path, index)
        if isinstance(item, Mapping) and attribute.children:
            yield from _object(_inner(attribute, item, below, scopes), scopes)
            given = [name for name, value in item.items() if value is not None and value is not UNKNOWN]
            if len(given) > attribute.facts.get("max_properties", len(given)):
                only = attribute.facts["max_properties"]
                yield problem(below, f"has {len(given)} properties; at most {only} may be set in an item")
        elif not isinstance(item, (Mapping, list, Secret)) and item not in (None, UNKNOWN):
            yield from _plain(attribute, rules, item, below)


def _element_rules(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the rules of a list's items, which the plugin framework declares on the list itself."""
    rules: Mapping[str, Any] = facts.get("elements", {})
    return rules or {name: facts[name] for name in _VALUE_RULES if name in facts}


def _ignores_case(attribute: Attribute) -> bool:
    """Whether enumerations are compared case-insensitively, as Cloudflare's provider does."""
    return attribute.resource.name.startswith("cloudflare_")


def _count(facts: Mapping[str, Any], items: Any, path: Path) -> Iterator[Problem]:
    given = [item for item in items if item != DEFAULTS_KEY]
    if facts.get("type", "").lower() == "set":
        given = [item for index, item in enumerate(given) if item not in given[:index]]  # a set has it once
    number = len(given)
    max_items, min_items = facts.get("max_items"), facts.get("min_items")
    if (
        max_items is not None
        and number > max_items
        and isinstance(items, (list, Mapping))
        and not _single(facts, items)
    ):
        yield problem(path, f"has {number} items; at most {max_items} are allowed")
    if min_items is not None and number < min_items and not _single(facts, items):
        yield problem(path, f"has {number} items; at least {min_items} are required")


def _single(facts: Mapping[str, Any], items: Any) -> bool:
    """Whether an object represents a list of one item, as in Pulumi."""
    return isinstance(items, Mapping) and facts.get("type") in ("list", "set")


def _is_set(attribute: Attribute | None, value: Any) -> bool:
    """Whether the provider treats a value as set.

    An empty object is a block without arguments and counts as set. An empty list of blocks does not, except
    for a provider that uses the plugin framework. An empty list of plain values does.
    """
    while isinstance(value, Secret):
        value = value.element
    if value == [] and attribute is not None and attribute.children and not attribute.framework:
        return False
    return value is not None


def _references(
    attribute: Attribute, value: Any, scopes: tuple[_Scope, ...], path: Path
) -> Iterator[Problem]:
    facts = attribute.facts
    if not _is_set(attribute, value):
        return
    for other in facts.get("conflicts_with", ()):
        if other == attribute.path:
            continue
        name, found = _look_up(scopes, other)
        if found is not UNKNOWN and value is not UNKNOWN and found is not None:
            yield problem(path, f"conflicts with {name}: set only one of them")
    for other in facts.get("required_with", ()):
        name, found = _look_up(scopes, other)
        if found is None:
            yield problem(path, f"requires {name} to be set too")
    if (only_if := facts.get("only_if")) is not None:
        name, found = _look_up(scopes, only_if[0])
        if found is not UNKNOWN and found != only_if[1]:
            yield problem(path, f'may be set only where {name} is "{only_if[1]}"')
    if value is not UNKNOWN:
        yield from _conditions(attribute, scopes, path)


def _conditions(attribute: Attribute, scopes: tuple[_Scope, ...], path: Path) -> Iterator[Problem]:
    """Yield violations of the rules for the values of another attribute, beside which one may be set.

    Each rule is the path of the other attribute and its values; None is one that is not set.
    """
    for other, values in attribute.facts.get("only_where", ()):
        name, found = _look_up(scopes, other)
        if found is not UNKNOWN and found not in values:
            yield problem(path, f"may be set only where {name} is {_choices(values)}")
    for other, values in attribute.facts.get("not_where", ()):
        name, found = _look_up(scopes, other)
        if found is not UNKNOWN and found in values:
            yield problem(path, f'must not be set where {name} is "{found}"')


def _required_where(attribute: Attribute, scopes: tuple[_Scope, ...], path: Path) -> Iterator[Problem]:
    for other, values in attribute.facts.get("required_where", ()):
        name, found = _look_up(scopes, other)
        if found is not UNKNOWN and found in values:
            yield problem(path, f'required where {name} is "{found}"')


def _choices(values: Sequence[str | None]) -> str:
    found = [f'"{value}"' if value is not None else "absent" for value in values]
    return " or ".join(found) if len(found) < 3 else f"one of {', '.join(found)}"


def _groups(attribute: Attribute, scopes: tuple[_Scope, ...], path: Path, name: str) -> Iterator[Problem]:
    """Yield violations of "exactly one of" and "at least one of", once per group.

    If several members of "exactly one of" are set, each of them is reported; if none is set, the object is.
    """
    facts = attribute.facts
    for kind in ("exactly_one_of", "at_least_one_of"):
        members = list(dict.fromkeys(facts.get(kind, ())))
        if not members or _reporter(scopes, members, kind) not in (attribute.path, None):
            continue
        found = [(member, *_look_up(scopes, member)) for member in members]
        given = [(member, one) for member, one, value in found if value is not None and value is not UNKNOWN]
        unknown = any(value is UNKNOWN for _, _, value in found)
        names = ", ".join(one for _, one, _ in found)
        if len(given) > 1 and kind == "exactly_one_of":
            reason = f"only one of {names} may be set; {', '.join(one for _, one in given)} are"
            for member, one in given:
                yield problem((*_nearest(scopes, member).position, *one.split(".")), reason)
        elif not given and not unknown and not _has_unmapped(_nearest(scopes, members[0])):
            word = "exactly" if kind == "exactly_one_of" else "at least"
            yield problem(path or (name,), f"{word} one of {names} must be set")


def _has_unmapped(scope: _Scope) -> bool:
    """Whether an object has a value that no fact covers, which may be a newer member of a group."""
    return any(
        name not in scope.attributes
        for name, value in scope.values.items()
        if value is not None and name != DEFAULTS_KEY
    )


def _reporter(scopes: tuple[_Scope, ...], members: Sequence[str], kind: str) -> str | None:
    """Return the member of a group that reports its violation: the outermost that declares it."""
    declaring = [
        member
        for member in members
        if (attribute := _attribute(scopes, member)) is not None and member in attribute.facts.get(kind, ())
    ]
    return min(declaring, key=lambda member: (member.count("."), member), default=None)


def _attribute(scopes: tuple[_Scope, ...], path: str) -> Attribute | None:
    scope = _nearest(scopes, path)
    attributes, found = scope.attributes, None
    for step in _steps(scope.path, path):
        found = _named(attributes, step)
        if found is None:
            return None
        attributes = found.children
    return found


def _nearest(scopes: tuple[_Scope, ...], path: str) -> _Scope:
    """Return the innermost of `scopes` that contains the attribute at `path`; the outermost is first."""
    for scope in reversed(scopes):
        if not scope.path or path.startswith(f"{scope.path}."):
            return scope
    return scopes[0]


def _steps(start: str, path: str) -> list[str]:
    rest = path[len(start) + 1 :] if start else path
    return rest.split(".")


def _named(attributes: Mapping[str, Attribute], step: str) -> Attribute | None:
    return next((item for item in attributes.values() if item.path.rpartition(".")[2] == step), None)


def _look_up(scopes: tuple[_Scope, ...], path: str) -> tuple[str, Any]:
    """Return the Pulumi name and the value of the attribute at a Terraform path; None if it is not set."""
    scope = _nearest(scopes, path)
    attributes, value, names = scope.attributes, scope.values, list[str]()
    found: Attribute | None = None
    current: Any = value
    for step in _steps(scope.path, path):
        found = _named(attributes, step)
        names.append(found.name if found else step)
        while isinstance(current, Secret):
            current = current.element
        if isinstance(current, list):
            current = current[0] if current else None
        if isinstance(current, Mapping):
            current = current.get(names[-1])
        elif current is not UNKNOWN:
            current = None
        attributes = found.children if found else {}
    return ".".join(names), current if _is_set(found, current) else None
