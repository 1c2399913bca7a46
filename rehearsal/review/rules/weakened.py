"""Compare the policy pack and its configuration with those of the base.

A pull request is evaluated by its own policy pack and its own ``policies:`` settings, so a rule that it
removes, disables or relaxes reports nothing. This comparison reports the rule instead.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rehearsal.errors import KingdomError
from rehearsal.policy.pack_info import PackInfo, PolicyInfo
from rehearsal.pulumi.program_files import program_files
from rehearsal.pulumi.project import Project, policy_config

# Levels by strictness. "remediate" is the strictest: it changes the resource so that it complies.
_STRICTNESS: Final = {"disabled": 0, "advisory": 1, "mandatory": 2, "remediate": 2}
_RELAXING_KEY: Final = "policies:config"


@dataclass(frozen=True)
class RuleChange:
    """One rule that is weaker than at the base, and the stacks in which it is.

    `kind` is ``removed``, ``disabled``, ``relaxed`` (a lower level), ``settings`` (a changed setting) or
    ``pack`` (the base's pack does not start, so nothing could be compared).
    """

    rule: str
    kind: str
    before: str
    after: str
    stacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class RuleSet:
    """A policy pack and its configuration in one stack."""

    pack: Path
    config: Mapping[str, str]

    def digest(self) -> str:
        """Return a digest of the files of the pack and of the configuration."""
        found = hashlib.sha256(json.dumps(dict(self.config), sort_keys=True).encode())
        for path in program_files(self.pack):
            found.update(f"\0{path.relative_to(self.pack)}\0".encode() + path.read_bytes())
        return found.hexdigest()


def head_rules(project: Project, stack: str, pack: Path) -> RuleSet:
    """The rules that the work tree declares for `stack`. Raises InputError."""
    return RuleSet(pack, policy_config(project.stack(stack).config))


def base_rules(project: Project, base: Project, stack: str, pack: Path) -> RuleSet:
    """The rules of the base for `stack`. Raises InputError.

    A pack outside the project is the same at the base. A stack that the base does not have is evaluated with
    its own settings, such as the cost ceiling, but without `policies:config`, which could relax rules.
    """
    path = base.root / pack.relative_to(project.root) if pack.is_relative_to(project.root) else pack
    if stack in base.stack_names():
        return RuleSet(path, policy_config(base.stack(stack).config))
    config = policy_config(project.stack(stack).config)
    return RuleSet(path, {key: value for key, value in config.items() if key != _RELAXING_KEY})


def rule_changes(
    packs: Mapping[str, tuple[PackInfo | KingdomError, PackInfo | None]],
) -> tuple[RuleChange, ...]:
    """Return the weakened rules.

    `packs` has the packs of base and head by stack: in place of the base's the error that it does not start
    with, or None for the head's, whose plan fails with that error.
    """
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for stack, (before, after) in packs.items():
        if isinstance(before, KingdomError):
            key = ("the base's policy pack", "pack", "", f"does not start: {before.message}")
            found.setdefault(key, []).append(stack)
        elif after is not None:
            for change in weaker(before, after):
                found.setdefault(change, []).append(stack)
    order = ("removed", "disabled", "relaxed", "settings", "pack")
    keys = sorted(found, key=lambda key: (order.index(key[1]), key))
    return tuple(RuleChange(*key, tuple(found[key])) for key in keys)


def weaker(before: PackInfo, after: PackInfo) -> Iterable[tuple[str, str, str, str]]:
    """Yield (rule, kind, before, after) for every rule that is weaker or configured otherwise in `after`."""
    now = {policy.name: policy for policy in after.policies}
    for policy in before.policies:
        found = now.get(policy.name)
        if policy.level == "disabled":
            continue
        if found is None:
            yield policy.name, "removed", policy.level, ""
        elif _STRICTNESS[found.level] < _STRICTNESS[policy.level]:
            kind = "disabled" if found.level == "disabled" else "relaxed"
            yield policy.name, kind, policy.level, found.level
        else:
            yield from _settings(policy, found)


def _settings(before: PolicyInfo, after: PolicyInfo) -> Iterable[tuple[str, str, str, str]]:
    for key in sorted({*before.settings, *after.settings}):
        if before.settings.get(key) != after.settings.get(key):
            yield before.name, "settings", _setting(before, key), _setting(after, key)


def _setting(policy: PolicyInfo, key: str) -> str:
    if key not in policy.settings:
        return f"{key} not set"
    return f"{key} = {json.dumps(_number(policy.settings[key]), ensure_ascii=False)}"


def _number(value: Any) -> Any:
    """Convert an integral float to an integer, since the protocol has floats only: 10000.0 gives 10000."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def described(change: RuleChange) -> str:
    """Return the change as text: ``non-root is disabled (was mandatory)``."""
    match change.kind:
        case "removed":
            return f"{change.rule} is removed (was {change.before})"
        case "settings":
            return f"{change.rule}: {change.before} → {change.after}"
        case "pack":
            return f"{change.rule} {change.after}"
        case _:
            return f"{change.rule} is {change.after} (was {change.before})"
