"""Policies as generators of findings with metadata, converted to the SDK's own objects.

A concern's module declares its policies with :func:`rule`, over one resource at a time or over the whole
state; :data:`policies.rules.RULES` collects them. Nothing here starts a server.
"""

from __future__ import annotations

import re
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyComplianceFramework,
    PolicyConfigSchema,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

import policies
from policies.model.property_tree import Finding, Node, as_sent, known_from, plain, to_send
from policies.model.stack import Resource, Stack

Settings = Mapping[str, Any]
ResourceCheck = Callable[[Resource, Settings], Iterable[Finding]]
StackCheck = Callable[[Stack, Settings], Iterable[Finding]]
# Receives the resource with plain values and returns the inputs to use instead, or None.
Remedy = Callable[[Resource, Settings], dict[str, Any] | None]

MANDATORY: Final = EnforcementLevel.MANDATORY
ADVISORY: Final = EnforcementLevel.ADVISORY
_PACK: Final = Path(policies.__file__).parent
_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# A tag "PSS:restricted" of a rule sets the first of these as the SDK's framework.
FRAMEWORKS: Final = {
    "PSS": PolicyComplianceFramework(
        "PSS", "v1.37", "https://kubernetes.io/docs/concepts/security/pod-security-standards/", "restricted"
    ),
    "CIS-GKE": PolicyComplianceFramework(
        "CIS GKE", "1.8", "https://www.cisecurity.org/benchmark/kubernetes", ""
    ),
    "SOC2": PolicyComplianceFramework(
        "SOC 2", "2017 (2022 points of focus)", "https://www.aicpa-cima.com/", ""
    ),
}


@dataclass(frozen=True)
class Rule:
    """One policy. `types` are regular expressions over type tokens; a stack rule has none.

    A rule that is `platform_specific` is a convention of this platform: `kingdom check` runs it only with
    ``--strict``.
    """

    name: str
    description: str
    remediation: str
    severity: Severity
    concern: str
    level: EnforcementLevel = MANDATORY
    tags: tuple[str, ...] = ()
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    url: str = ""
    platform_specific: bool = False
    # Whether it can be evaluated on plain manifests, without a stack's settings.
    manifests: bool = True
    types: re.Pattern[str] | None = None
    check: ResourceCheck | None = None
    check_stack: StackCheck | None = None
    remedy: Remedy | None = None

    @property
    def defaults(self) -> dict[str, Any]:
        """The settings without any configuration."""
        return {key: schema["default"] for key, schema in self.settings.items() if "default" in schema}

    def policy(self) -> Policy:
        """The SDK's object for this rule; its level and settings come from the engine's configuration."""
        frameworks = [FRAMEWORKS[tag.split(":")[0]] for tag in self.tags if tag.split(":")[0] in FRAMEWORKS]
        common: dict[str, Any] = {
            "name": self.name,
            "description": self.description,
            "enforcement_level": self.level,
            "severity": self.severity,
            "framework": frameworks[0] if frameworks else None,
            "tags": [self.concern, *self.tags],
            "remediation_steps": self.remediation,
            "url": self.url or None,
            "config_schema": PolicyConfigSchema({k: dict(v) for k, v in self.settings.items()})
            if self.settings
            else None,
        }
        if self.check_stack is not None:
            return StackValidationPolicy(validate=self._validate_stack, **common)
        return ResourceValidationPolicy(
            validate=self._validate, remediate=self._remediate if self.remedy else None, **common
        )

    def applies_to(self, resource_type: str) -> bool:
        return self.types is not None and _matches(self.types, resource_type)

    def evaluate(self, stack: Stack, settings: Settings) -> Iterator[Finding]:
        """The findings on `stack` without the SDK around it, each with the URN of its resource."""
        merged = self.defaults | dict(settings)
        if self.check_stack is not None:
            yield from _guarded(self, self.check_stack(stack, merged), "the stack")
            return
        assert self.check is not None
        types = {name for name in stack.types if self.applies_to(name)}
        for resource in stack.resources:
            if resource.type in types:
                for found in _guarded(self, self.check(resource, merged), resource.urn):
                    yield Finding(found.message, found.path, resource.urn)

    def remedied(self, resource: Resource, settings: Settings) -> dict[str, Any] | None:
        """Return the inputs with the rule's remediation applied; None if it finds or changes nothing."""
        if self.remedy is None or self.check is None or not self.applies_to(resource.type):
            return None
        merged = self.defaults | dict(settings)
        seen = replace(resource, node=Node(plain(resource.node.raw)), memo={})
        found = next(_guarded(self, self.check(seen, merged), resource.urn), None)
        return None if found is None else self.remedy(resource, merged)

    def _validate(self, args: ResourceValidationArgs, report: ReportViolation) -> None:
        declare(args.urn, args.props)
        if not self.applies_to(args.resource_type):
            return
        assert self.check is not None
        resource = Resource.of(args, _plain_once(args.props))
        settings = self.defaults | dict(args.get_config())
        for finding in _guarded(self, self.check(resource, settings), resource.urn):
            report(str(finding), None)
        _list_unevaluated(resource.node)

    def _validate_stack(self, args: StackValidationArgs, report: ReportViolation) -> None:
        assert self.check_stack is not None
        state = _AT_HAND.get()
        # Each rule has its own stack, which records the values that could not be evaluated.
        stack = Stack.of(_merged(args.resources) if state is None else state)
        settings = self.defaults | dict(args.get_config())
        for finding in _guarded(self, self.check_stack(stack, settings), "the stack"):
            report(str(finding), finding.urn or None)
        _list_unevaluated(stack.node)

    def _remediate(self, args: ResourceValidationArgs) -> Any:
        return to_send(self.remedied(Resource.of(args, as_sent(args.props)), args.get_config()))


@cache
def _matches(types: re.Pattern[str], resource_type: str) -> bool:
    return types.fullmatch(resource_type) is not None


class PolicyCrashedError(Exception):
    """A rule raised an exception. The message names rule, location and resource; no traceback is needed."""


def _guarded(rule: Rule, findings: Iterable[Finding], about: str) -> Iterator[Finding]:
    try:
        yield from (found for found in findings if not found.doubtful)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        inside = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACK)]
        frame = (inside or list(frames))[-1]
        raise PolicyCrashedError(
            f"policy {rule.name} raised {type(error).__name__}: {error} "
            f"at {frame.filename}:{frame.lineno} on {about}"
        ) from error


class UnevaluatedError(UnknownValueError):
    """Values that a rule could not evaluate, which the SDK reports as advice "can't run policy"."""

    def __init__(self, unevaluated: Mapping[str, str]) -> None:
        super().__init__(UNKNOWN_STRING_VALUE, list(unevaluated))
        self.message = "; ".join(f"{place} {reason}" for place, reason in sorted(unevaluated.items()))


def _list_unevaluated(node: Node) -> None:
    if node.unevaluated:
        raise UnevaluatedError(node.unevaluated)


# The plain form of the latest proxies, by identity. Entries keep their proxies alive, so an identity is
# never reused while it is a key here.
_PLAIN: OrderedDict[int, tuple[Any, Any]] = OrderedDict()
_PLAIN_LIMIT: Final = 8192


def _plain_once(props: Any) -> Any:
    found = _PLAIN.get(id(props))
    if found is not None:
        return found[1]
    value = plain(props)
    _PLAIN[id(props)] = (props, value)
    if len(_PLAIN) > _PLAIN_LIMIT:
        _PLAIN.popitem(last=False)
    return value


# The declared properties by URN, from the calls for single resources. Stack rules evaluate declarations, not
# the state: a server fills in values that are not declared (replicas, zones), and before the first deployment
# those are unknown.
_INPUTS: dict[str, Any] = {}
# The merged properties of a resource, valid while its declaration and its state are the same objects.
_MERGED: dict[str, tuple[Any, Any, Any]] = {}
# The resources of the stack, if the server has decoded them once for all stack rules.
_AT_HAND: ContextVar[list[Resource] | None] = ContextVar("at_hand", default=None)


def declare(urn: str, props: Any) -> None:
    """Record the declared properties of a resource."""
    _INPUTS[urn] = props


@contextmanager
def at_hand(resources: Sequence[PolicyResource]) -> Iterator[None]:
    """Evaluate stack rules on `resources` within the block, regardless of their arguments."""
    token = _AT_HAND.set(_merged(resources))
    try:
        yield
    finally:
        _AT_HAND.reset(token)


def _merged(items: Iterable[PolicyResource]) -> list[Resource]:
    return [Resource.of(item, _declared(item)) for item in items]


def forget_inputs() -> None:
    """Clear the recorded declarations, which belong to another stack."""
    _INPUTS.clear()
    _MERGED.clear()


def _declared(item: PolicyResource) -> Any:
    """Return the declared properties of a resource, with unknown values taken from its state.

    Without a declaration (`pulumi policy analyze` of an exported state), return the state.
    """
    if item.urn not in _INPUTS:
        return _plain_once(item.props)
    declared, state = _INPUTS[item.urn], item.props
    found = _MERGED.get(item.urn)
    if found is None or found[0] is not declared or found[1] is not state:
        merged = known_from(_plain_once(declared), _plain_once(state))
        found = _MERGED[item.urn] = (declared, state, merged)
    return found[2]


def rule(
    name: str,
    description: str,
    *,
    concern: str,
    remediation: str,
    severity: Severity,
    scope: Literal["resource", "stack"] = "resource",
    types: str = "",
    level: EnforcementLevel = MANDATORY,
    tags: tuple[str, ...] = (),
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    url: str = "",
    platform_specific: bool = False,
    manifests: bool = True,
    remedy: Remedy | None = None,
) -> Callable[[Callable[..., Iterable[Finding]]], Rule]:
    """Declare a policy.

    With scope ``resource``, the decorated function gets each resource whose type token matches the regular
    expression `types`; with scope ``stack``, it gets the whole :class:`~policies.model.stack.Stack`.
    `concern` is the policy's first tag and its heading in the documentation.
    """

    def decorate(check: Callable[..., Iterable[Finding]]) -> Rule:
        return Rule(
            name=_valid(name),
            description=description,
            remediation=remediation,
            severity=severity,
            concern=concern,
            level=level,
            tags=tags,
            settings=settings or {},
            url=url,
            platform_specific=platform_specific,
            manifests=manifests,
            types=re.compile(types) if scope == "resource" else None,
            check=check if scope == "resource" else None,
            check_stack=check if scope == "stack" else None,
            remedy=remedy,
        )

    return decorate


def rules_of(module: Any) -> list[Rule]:
    """Return the rules that a concern's module declares, in their order."""
    return [value for value in vars(module).values() if isinstance(value, Rule)]


def _valid(name: str) -> str:
    assert _NAME.fullmatch(name), f"policy names are lower-case words joined by hyphens: {name}"
    return name
