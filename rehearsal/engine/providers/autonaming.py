"""Preferred physical names of resources: the configuration ``pulumi:autonaming``.

The rules are those of ``pkg/cmd/pulumi/autonaming`` and ``pkg/resource/autonaming`` in Pulumi. Random parts
of names are derived from the resource instead, so that a preview and the update after it agree.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pulumi.runtime.proto import provider_pb2

from rehearsal.errors import InputError
from rehearsal.pulumi.urn import name_of, type_of

KEY: Final = "pulumi:autonaming"
ORGANIZATION: Final = "organization"  # that of a stack which is not in Pulumi Cloud

_Options = provider_pb2.CheckRequest.AutonamingOptions
_MODES: Final = ("default", "verbatim", "disabled")
_SETTINGS: Final = ("mode", "pattern", "enforce")
_LOWER: Final = "abcdefghijklmnopqrstuvwxyz"
_ALPHABETS: Final = {
    "hex": "0123456789abcdef",
    "alphanum": _LOWER + "0123456789",
    "string": _LOWER,
    "num": "0123456789",
}
_RANDOM: Final = re.compile(r"\$\{(hex|alphanum|string|num)\((\d+)\)\}|\$\{(uuid)\}")
_CONFIG: Final = re.compile(r"\$\{config\.([^}]+)\}")


@dataclass(frozen=True)
class _Strategy:
    """How resources are named: by the provider (``default``), or by one of the other modes or a `pattern`."""

    mode: str = "default"
    pattern: str = ""
    enforce: bool = False


@dataclass(frozen=True)
class Autonaming:
    """Preferred names by package and type. Without configuration there are none."""

    fallback: _Strategy = _Strategy()
    packages: Mapping[str, _Strategy] = field(default_factory=dict)
    types: Mapping[str, _Strategy] = field(default_factory=dict)

    @classmethod
    def parse(cls, config: Mapping[str, str], project: str, stack: str) -> Autonaming:
        """Return the preferences in the configuration of a stack. Raises InputError with all problems."""
        if KEY not in config:
            return cls()
        problems: list[str] = []
        expand = _expander(config, project, stack)
        try:
            section = json.loads(config[KEY])
        except ValueError:
            section = config[KEY]
        given = _section(section, "", (*_SETTINGS, "providers"), problems)
        fallback = _strategy(given, "", expand, problems) or _Strategy()
        packages: dict[str, _Strategy] = {}
        types: dict[str, _Strategy] = {}
        for package, settings in _section(given.get("providers"), ".providers", None, problems).items():
            path = f".providers.{package}"
            of_package = _section(settings, path, (*_SETTINGS, "resources"), problems)
            packages[package] = _strategy(of_package, path, expand, problems) or fallback
            for token, one in _section(
                of_package.get("resources"), f"{path}.resources", None, problems
            ).items():
                at = f"{path}.resources.{token}"
                strategy = _strategy(_section(one, at, _SETTINGS, problems), at, expand, problems)
                if strategy is None:
                    problems.append(f"config.{KEY}{at}: needs a mode or a pattern")
                elif token.partition(":")[0] == package:
                    types[token] = strategy
        if problems:
            raise InputError(f"the names of {stack} are not configured correctly:", details=problems)
        return cls(fallback, packages, types)

    def options(self, urn: str, replaced: str) -> tuple[_Options | None, bool]:
        """Return the options of a Check call, and whether a replacement must delete the resource first.

        That is so if the name has no random part. `replaced` is the id of the resource that the new one
        replaces, which needs another name.
        """
        token = type_of(urn)
        package = token.partition(":")[0]
        strategy = self.types.get(token) or self.packages.get(package) or self.fallback
        if strategy.pattern:
            name, random = _generated(strategy.pattern, name_of(urn), f"{urn}|{replaced}")
            mode = _Options.ENFORCE if strategy.enforce else _Options.PROPOSE
            return _Options(proposed_name=name, mode=mode), not random
        match strategy.mode:
            case "verbatim":
                return _Options(proposed_name=name_of(urn), mode=_Options.ENFORCE), True
            case "disabled":
                return _Options(mode=_Options.DISABLE), True
            case _:
                return None, False


AS_PROVIDER: Final = Autonaming()


def _section(value: Any, path: str, known: tuple[str, ...] | None, problems: list[str]) -> Mapping[str, Any]:
    """Return the mapping `value` at `path`, empty if absent; note unknown keys unless all are `known`."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        problems.append(f"config.{KEY}{path}: must be a mapping, not {value!r}")
        return {}
    if known is not None:
        listed = ", ".join(known)
        problems += [
            f"config.{KEY}{path}.{key}: unknown; the keys are {listed}" for key in value if key not in known
        ]
    return value


def _strategy(
    given: Mapping[str, Any], path: str, expand: Callable[[str], str], problems: list[str]
) -> _Strategy | None:
    """Return the strategy that the settings at `path` describe, or None without settings."""
    mode, pattern, enforce = (given.get(key) for key in _SETTINGS)
    where = f"config.{KEY}{path}"
    if mode is not None and (pattern is not None or enforce is not None):
        problems.append(f"{where}: mode and pattern exclude each other")
    elif pattern is not None:
        if not isinstance(pattern, str) or not isinstance(enforce, bool | None):
            problems.append(f"{where}: pattern must be a string, and enforce true or false")
            return None
        try:
            return _Strategy(pattern=expand(pattern), enforce=bool(enforce))
        except ValueError as error:
            problems.append(f"{where}.pattern: {error}")
    elif enforce is not None:
        problems.append(f"{where}: enforce needs a pattern")
    elif mode is not None and mode not in _MODES:
        problems.append(f"{where}.mode: must be one of {', '.join(_MODES)}, not {mode!r}")
    elif mode is not None:
        return _Strategy(mode)
    return None


def _expander(config: Mapping[str, str], project: str, stack: str) -> Callable[[str], str]:
    """Return the function that inserts the values of the stack into a pattern. It raises ValueError."""

    def configured(match: re.Match[str]) -> str:
        try:
            return config[f"{project}:{match[1]}"]
        except KeyError:
            raise ValueError(f"the stack has no config.{project}:{match[1]}") from None

    def expand(pattern: str) -> str:
        for name, value in (("organization", ORGANIZATION), ("project", project), ("stack", stack)):
            pattern = pattern.replace(f"${{{name}}}", value)
        return _CONFIG.sub(configured, pattern)

    return expand


def _generated(pattern: str, name: str, seed: str) -> tuple[str, bool]:
    """Return the name for `pattern`, and whether it has a random part."""
    text = pattern.replace("${name}", name)

    def part(match: re.Match[str]) -> str:
        if match[3]:
            digits = _characters("hex", 32, f"{seed}|{match.start()}")
            return "-".join(digits[a:b] for a, b in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))
        return _characters(match[1], int(match[2]), f"{seed}|{match.start()}")

    return _RANDOM.sub(part, text), _RANDOM.search(text) is not None


def _characters(alphabet: str, count: int, seed: str) -> str:
    """Return `count` characters of the named alphabet, derived from `seed`."""
    letters = _ALPHABETS[alphabet]
    numbers = (hashlib.sha256(f"{seed}|{at}".encode()).digest() for at in range(count))
    return "".join(letters[int.from_bytes(number[:8]) % len(letters)] for number in numbers)
