"""Validation of inputs against declared types."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rehearsal.providers.constraints import docstring_enums
from rehearsal.providers.schema import Choice, Field, ListOf, MapOf, ObjectType, OneOf, Scalar, Type
from rehearsal.pulumi.properties import UNKNOWN, Asset, Path, ResourceReference, Secret, format_path

# The Terraform bridge records under this key which inputs it generated.
DEFAULTS_KEY: Final = "__defaults"


@dataclass(frozen=True, order=True)
class Problem:
    """A violation at `path`; `reason` states what is wrong and, where possible, what is valid."""

    path: str
    reason: str


def problem(path: Path, reason: str) -> Problem:
    return Problem(format_path(path), reason)


@dataclass(frozen=True)
class Rules:
    """How strictly inputs are checked.

    With `coerces`, "4" is valid for 4 and 4 for "4", as in the Terraform bridge (`pkg/tfbridge/schema.go`,
    `MakeTerraformInput`); the Kubernetes API server refuses both. With `reads_documentation`, values must be
    among those that the SDK's documentation lists as the only ones.
    """

    coerces: bool
    reads_documentation: bool = True


def check_object(
    declared: ObjectType, inputs: Mapping[str, Any], rules: Rules, path: Path = ()
) -> Iterator[Problem]:
    """Yield problems of an object's fields. Null counts as absent."""
    fields = declared.fields
    for name, value in inputs.items():
        if name == DEFAULTS_KEY:
            continue
        # The Kubernetes SDK writes the `x-kubernetes-…` keys of a definition with underscores.
        if (field := fields.get(name) or fields.get(name.replace("-", "_"))) is None:
            yield problem((*path, name), f"unknown property{suggestion(name, fields)}")
        elif value is not None and not (
            _is_exact(field.type, value)
            and not (value.__class__ is str and rules.reads_documentation and field.closed_set)
        ):
            yield from _check_field(field, value, rules, (*path, name))
    for name, field in fields.items():
        if field.required and inputs.get(name) is None:
            yield problem((*path, name), "missing required property")


def _check_field(field: Field, value: Any, rules: Rules, path: Path) -> Iterator[Problem]:
    problems = list(check_value(field.type, value, rules, path))
    yield from problems
    if not problems and rules.reads_documentation and (values := field.closed_set):
        yield from _check_closed_set(field.type, values, value, path)


# Scalar kinds by the Python class whose values are always valid for them.
_EXACT: Final[dict[type, str]] = {str: "string", int: "integer", bool: "boolean"}


def _is_exact(declared: Type, value: Any) -> bool:
    """Whether the class of a value alone shows that it is valid.

    This saves a generator for most values, which would take most of the time of a validation.
    """
    return declared.__class__ is Scalar and _EXACT.get(value.__class__) == declared.kind


def _check_closed_set(declared: Type, values: tuple[str, ...], value: Any, path: Path) -> Iterator[Problem]:
    if isinstance(value, Secret):
        if any(_check_closed_set(declared, values, value.element, path)):
            yield problem(path, f"the secret value is not one of {_listed(values)}")
    elif isinstance(value, list) and isinstance(declared, ListOf):
        for index, item in enumerate(value):
            yield from _check_closed_set(declared.element, values, item, (*path, index))
    elif (
        isinstance(value, str) and declared == Scalar("string") and not docstring_enums.admits(values, value)
    ):
        yield problem(path, f"{value!r} is not one of {_listed(values)}{suggestion(value, values)}")


def check_value(declared: Type, value: Any, rules: Rules, path: Path) -> Iterator[Problem]:
    """Yield problems of one value; unknown, null and resource references are valid everywhere."""
    if isinstance(value, Secret):
        for found in check_value(declared, value.element, rules, path):
            # A reason quotes the value; a secret must not be logged.
            yield Problem(found.path, f"the secret value does not fit: expected {_kind(declared)}")
        return
    if value is UNKNOWN or value is None or isinstance(value, ResourceReference):
        return
    match declared:
        case Scalar(kind):
            if not _is_scalar(kind, value, rules):
                yield problem(path, f"expected {_article(kind)}, got {describe(value)}")
        case Choice(values):
            if value not in values or isinstance(value, bool) != isinstance(values[0], bool):
                shown = repr(value) if isinstance(value, (str, int, float)) else describe(value)
                yield problem(
                    path, f"{shown} is not one of {_listed(values)}{suggestion(str(value), map(str, values))}"
                )
        case ListOf(element):
            if not isinstance(value, list):
                yield problem(path, f"expected a list, got {describe(value)}")
                return
            for index, item in enumerate(value):
                if not _is_exact(element, item):
                    yield from check_value(element, item, rules, (*path, index))
        case MapOf(element):
            if not isinstance(value, dict):
                yield problem(path, f"expected a map, got {describe(value)}")
                return
            for key, item in value.items():
                if key != DEFAULTS_KEY and not _is_exact(element, item):
                    yield from check_value(element, item, rules, (*path, key))
        case ObjectType():
            if not isinstance(value, dict):
                yield problem(path, f"expected an object ({declared.name}), got {describe(value)}")
                return
            yield from check_object(declared, value, rules, path)
        case OneOf(options):
            attempts = [list(check_value(option, value, rules, path)) for option in options]
            if all(attempts):
                # A problem inside the value is more specific than "expected A or B".
                deep = [a for a in attempts if a[0].path != format_path(path)]
                yield from (
                    deep[0]
                    if deep
                    else [
                        problem(path, f"expected {' or '.join(map(_kind, options))}, got {describe(value)}")
                    ]
                )


def _is_scalar(kind: str, value: Any, rules: Rules) -> bool:
    match kind:
        case "any":
            return True
        case "string":
            return isinstance(value, str) or (rules.coerces and isinstance(value, (bool, int, float)))
        case "boolean":
            return isinstance(value, bool) or (rules.coerces and value in ("true", "false"))
        case "integer":
            if rules.coerces and isinstance(value, str):
                return _number(value, int)
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            if rules.coerces and isinstance(value, str):
                return _number(value, float)
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case _:
            return True


def _number(text: str, kind: type[int] | type[float]) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


def coerce(declared: Type, value: Any) -> Any:
    """Return `value` with scalars in the declared type, as a coercing provider stores them."""
    if isinstance(value, Secret):
        return Secret(coerce(declared, value.element))
    match declared:
        case Scalar("string") if isinstance(value, bool):
            return "true" if value else "false"
        case Scalar("string") if isinstance(value, (int, float)):
            return f"{value}"
        case Scalar("boolean") if value in ("true", "false"):
            return value == "true"
        case Scalar("integer") if isinstance(value, str):
            return int(value)
        case Scalar("number") if isinstance(value, str):
            return float(value)
        case ListOf(element) if isinstance(value, list):
            return [coerce(element, item) for item in value]
        case MapOf(element) if isinstance(value, dict):
            return {key: coerce(element, item) for key, item in value.items()}
        case ObjectType(fields=fields) if isinstance(value, dict):
            return {
                key: coerce(fields[key].type, item) if key in fields else item for key, item in value.items()
            }
        case _:
            return value


def suggestion(name: str, candidates: Iterable[str]) -> str:
    """Return `` (did you mean "x"?)`` for the closest of `candidates`, else an empty text."""
    names = list(candidates)
    camel = "".join(part[:1].upper() + part[1:] if at else part for at, part in enumerate(name.split("_")))
    lowered = {known.lower(): known for known in names}
    near = lowered.get(camel.lower()) or next(iter(difflib.get_close_matches(name, names, 1, 0.7)), None)
    return f' (did you mean "{near}"?)' if near else ""


def describe(value: Any) -> str:
    """Return a value's kind and, if it is short and not secret, the value."""
    match value:
        case bool():
            return f"the boolean {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the string {value[:40]!r}"
        case list():
            return "a list"
        case dict():
            return "an object"
        case Asset():
            return "an asset"
        case _:
            return type(value).__name__


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(f'"{value}"' if isinstance(value, str) else str(value) for value in values)


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _kind(declared: Type) -> str:
    match declared:
        case Scalar(kind):
            return _article(kind)
        case Choice(values):
            return f"one of {_listed(values)}"
        case ListOf():
            return "a list"
        case MapOf():
            return "a map"
        case ObjectType():
            return f"an object ({declared.name})"
        case OneOf(options):
            return " or ".join(map(_kind, options))
