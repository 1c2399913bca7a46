"""Compare the policy pack and its configuration with those of the base.

A pull request is evaluated by its own policy pack and its own ``policies:`` settings, so a rule that it
removes, disables or relaxes reports nothing. This comparison reports the rule instead.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rehearsal.errors import KingdomError
from rehearsal.policy.pack import PolicyPack
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
    project: Project, rule_sets: Mapping[str, tuple[RuleSet, RuleSet]]
) -> tuple[tuple[RuleChange, ...], frozenset[str]]:
    """Return the weakened rules, and the stacks on which the base's rules cannot be evaluated.

    `rule_sets` has the rules of base and head by stack. If the pack of the head does not start, there is no
    change to report, because the plan fails with that error.
    """
    found: dict[tuple[str, str, str, str], list[str]] = {}
    unusable: set[str] = set()
    with contextlib.ExitStack() as running:
        started = {
            stack: [_start(running, project, stack, rule_set) for rule_set in pair]
            for stack, pair in rule_sets.items()
        }
        for stack, (before, after) in started.items():
            try:
                info = _info(before)
            except KingdomError as error:
                unusable.add(stack)
                key = ("the base's policy pack", "pack", "", f"does not start: {error.message}")
                found.setdefault(key, []).append(stack)
                continue
            with contextlib.suppress(KingdomError):
                for change in weaker(info, _info(after)):
                    found.setdefault(change, []).append(stack)
    order = ("removed", "disabled", "relaxed", "settings", "pack")
    keys = sorted(found, key=lambda key: (order.index(key[1]), key))
    return tuple(RuleChange(*key, tuple(found[key])) for key in keys), frozenset(unusable)


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


def _start(
    running: contextlib.ExitStack, project: Project, stack: str, rule_set: RuleSet
) -> PolicyPack | KingdomError:
    try:
        pack = PolicyPack.start(
            rule_set.pack, project=project.name, stack=stack, dry_run=True, stack_config=rule_set.config
        )
    except KingdomError as error:
        return error
    return running.enter_context(pack)


def _info(pack: PolicyPack | KingdomError) -> PackInfo:
    if isinstance(pack, KingdomError):
        raise pack
    return pack.info


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
