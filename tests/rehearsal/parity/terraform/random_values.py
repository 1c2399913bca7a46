"""Random values for one attribute of a declared resource, drawn without the facts.

Half of the texts are edits of texts that the program declares, so that they are nearly valid.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rehearsal.providers.schema import ListOf, MapOf, ObjectType, OneOf, Scalar, Type
from rehearsal.pulumi.properties import UNKNOWN, leaves
from tests.rehearsal.providers.constraints.mutations import Mutation, attributes, mutation

_TEXTS: Final = (
    "", " ", "a", "A", "0", "-1", "1.5", "true", "none", "no-such-value", "NO_SUCH_VALUE", "é", "a\n", "[]",
    "{}", "10.0.0.1", "10.0.0.0/8", "10.0.0.7/8", "::1", "2026-11-27T00:00:00Z", "2026-11-27", "03:00", "90s",
    "1.5s", "1h30m", "https://example.com/a", "example.com", "example.com.", "projects/p/locations/l",
    "user:a@example.com", "* * * * *", "a" * 64, "a" * 300,
)  # fmt: skip
_NUMBERS: Final = (-1, 0, 1, 2, 7, 59, 60, 100, 101, 255, 300, 3600, 65_535, 86_400, 10_000_000)


@dataclass(frozen=True)
class Draw:
    """Declared inputs of a resource, and the same inputs with a random value."""

    declared: dict[str, Any]
    mutation: Mutation


def draws(seed: int, resources: Sequence[tuple[str, dict[str, Any]]]) -> Iterator[Draw]:
    """Yield random mutations without end; every type is drawn as often as the others."""
    rng = random.Random(seed)
    by_type: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for token, inputs in sorted(resources, key=repr):  # resources are registered concurrently
        by_type[token].append(inputs)
    texts = sorted({leaf for _, inputs in resources for _, leaf in leaves(inputs) if _is_text(leaf)})
    while True:
        token = rng.choice(sorted(by_type))
        inputs = rng.choice(by_type[token])
        path, attribute, holder, name = rng.choice(list(attributes(token, inputs)))
        before = holder.get(name)
        if before is not None and rng.random() < 0.1:
            yield Draw(inputs, mutation(token, inputs, path, "absent", None))
            continue
        value = _value(rng, attribute.type, before, texts)
        if value is not None and value != before:
            yield Draw(inputs, mutation(token, inputs, path, f"is {str(value)[:60]!r}", value))


def _value(rng: random.Random, declared: Type, before: Any, texts: Sequence[str]) -> Any:
    match declared:
        case Scalar("boolean"):
            return before is not True
        case Scalar("integer"):
            return _number(rng, before)
        case Scalar("number"):
            return _number(rng, before) + rng.choice((0.0, 0.5))
        case ListOf(element):
            items = before if isinstance(before, list) else []
            item = _value(rng, element, items[0] if items else None, texts)
            lists: list[list[Any]] = [
                [],
                [item],
                [*items, item],
                [*items, *items[:1]],
                items[:-1],
                items[::-1],
            ]
            return rng.choice(lists)
        case MapOf(element):
            return {_text(rng, None, texts): _value(rng, element, None, texts)}
        case ObjectType():
            return dict[str, Any]()
        case OneOf(options):
            return _value(rng, rng.choice(options), before, texts)
        case _:
            return _text(rng, before, texts)


def _number(rng: random.Random, before: Any) -> int | float:
    if isinstance(before, (int, float)) and not isinstance(before, bool) and rng.random() < 0.5:
        return rng.choice((before - 1, before + 1, before * 2, -before))
    return rng.choice(_NUMBERS)


def _text(rng: random.Random, before: Any, texts: Sequence[str]) -> str:
    if rng.random() < 0.5:
        return rng.choice(_TEXTS)
    text = before if _is_text(before) and rng.random() < 0.8 else rng.choice(texts)
    place = rng.randrange(len(text) + 1)
    edits = (
        text,
        text[:place] + text[place + 1 :],
        text[:place] + rng.choice("-_.:/ A0é") + text[place:],
        text.upper(),
        text.lower(),
        text + text,
        f"{text}.",
    )
    return rng.choice(edits)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value is not UNKNOWN
