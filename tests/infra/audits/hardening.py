"""Hardening settings: `hardening.yaml` lists the required value of each and the reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.pulumi.properties import unwrap
from tests.infra.audits.finding import Finding, is_of_a_cloud, title
from tests.infra.audits.paths import ABSENT, values

FILE: Final = Path(__file__).with_suffix(".yaml")
TESTS: Final = {"is", "at-least", "at-most", "set", "has", "covers", "like"}


@dataclass(frozen=True)
class Rule:
    """A requirement for a path: `is: […]`, `at-least: n`, `at-most: n`, `set: true` or `has: […]`.

    `covers: […]` is of all values at the path together: none may be missing. `like` is a regular expression.
    """

    path: str
    want: Mapping[str, Any]

    def __post_init__(self) -> None:
        assert self.want.keys() <= TESTS, f"{self.path}: {self.want}"

    def holds(self, value: Any) -> bool:
        """Whether a value satisfies the rule; an absent one never does."""
        if value is ABSENT or value is None:
            return False
        ((test, wanted),) = self.want.items()
        match test:
            case "is":
                return any(value == item and type(value) is type(item) for item in wanted)
            case "at-least":
                return float(value) >= wanted
            case "at-most":
                return float(value) <= wanted
            case "has":
                return set(wanted) <= set(value)
            case "like":
                return re.fullmatch(wanted, str(value)) is not None
            case _:
                return value not in ("", [], {})


def breaches(inputs: Mapping[str, Any], rules: Iterable[Rule]) -> Iterator[str]:
    """Yield the requirements that a resource's inputs violate."""
    for rule in rules:
        found = values(inputs, rule.path)
        if "covers" in rule.want:
            lacking = [item for item in rule.want["covers"] if item not in found]
            if lacking:
                yield f"{rule.path} lacks {', '.join(map(str, lacking))}"
            continue
        for value in found:
            if not rule.holds(value):
                shown = "absent" if value is ABSENT else repr(value)
                yield f"{rule.path} is {shown} instead of {dict(rule.want)}"


@cache
def hardening() -> dict[str, tuple[Rule, ...]]:
    """The rules by type, or by type and logical name: `cloudflare:…:ZoneSetting#edge-ssl`."""
    content: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())
    return {
        key: tuple(
            Rule(path, want if isinstance(want, dict) else {"is": [want]}) for path, want in rules.items()
        )
        for key, rules in content.items()
    }


def unhardened(resources: Sequence[ResourceState]) -> Iterator[Finding]:
    """Yield settings that differ from the required value."""
    for resource in filter(is_of_a_cloud, resources):
        name = resource.urn.rpartition("::")[2]
        for key in (resource.type, f"{resource.type}#{name}"):
            for what in breaches(unwrap(resource.inputs), hardening().get(key, ())):
                yield Finding("hardening", title(resource), what)
