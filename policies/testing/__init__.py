"""Run policies on plain dicts, through the SDK's own proxies, without starting a server.

    result = evaluate("tls-redis", ResourceFixture("gcp:redis/instance:Instance", {"authEnabled": False}))
    assert result.found("authEnabled")

Values may be :data:`policies.model.property_tree.UNKNOWN` (not known in a preview) or :class:`Secret`. A
policy receives them as the engine sends them: an unknown raises when read, a secret is unwrapped.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import itertools
import re
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pulumi_policy import (
    Policy,
    PolicyCustomTimeouts,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Secret,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError, unknown_checking_proxy

from policies.model.property_tree import UNKNOWN, Node, plain
from policies.model.stack import Resource
from policies.pack.rule import forget_inputs
from policies.rules import named

__all__ = [
    "DROP",
    "Evaluation",
    "ResourceFixture",
    "Secret",
    "changed",
    "evaluate",
    "evaluate_policy",
    "remedied",
    "resources_of",
]
DROP: Final = object()  # value for `changed` that removes the key
_PART: Final = re.compile(r'\["([^"]+)"\]|\[(\d+)\]|([^.\[\]]+)')


@dataclass(frozen=True)
class ResourceFixture:
    """A resource to evaluate: its type token, properties as plain dicts, name and options."""

    type: str
    props: Mapping[str, Any]
    name: str = "x"
    protect: bool = False
    parent: str = ""

    @property
    def urn(self) -> str:
        return f"urn:pulumi:test::kingdom::{self.type}::{self.name}"


@dataclass
class Evaluation:
    """The result of one policy: messages of its findings, and of values that it could not evaluate."""

    findings: list[str] = field(default_factory=list)
    urns: list[str] = field(default_factory=list)
    unevaluated: str = ""

    @property
    def clean(self) -> bool:
        return not self.findings and not self.unevaluated

    def found(self, text: str) -> bool:
        """Whether a finding's message contains `text`."""
        return any(text in message for message in self.findings)


def evaluate(name: str, *given: ResourceFixture, settings: Mapping[str, Any] | None = None) -> Evaluation:
    """Return the result of the pack's policy `name` on `given`; `settings` override the defaults."""
    return evaluate_policy(named(name).policy(), given, settings)


def evaluate_policy(
    policy: Policy, given: Sequence[ResourceFixture], settings: Mapping[str, Any] | None = None
) -> Evaluation:
    """Return the result of an SDK policy.

    A resource policy runs on each of `given`, a stack policy on all.
    """
    result = Evaluation()
    forget_inputs()

    def report(message: str, urn: str | None = None) -> None:
        result.findings.append(message)
        result.urns.append(urn or "")

    if isinstance(policy, StackValidationPolicy):
        resources = [_resource(item) for item in given]
        by_urn = {resource.urn: resource for resource in resources}
        for item, resource in zip(given, resources, strict=True):
            resource.parent = by_urn.get(item.parent)
        runs: list[Any] = [lambda: policy.validate(StackValidationArgs(resources, settings), report)]
    elif isinstance(policy, ResourceValidationPolicy):
        runs = [lambda item=item: policy.validate(_args(item, settings), report) for item in given]
    else:
        raise TypeError(f"neither a resource nor a stack policy: {policy!r}")
    for run in runs:
        try:
            _finish(run())
        except UnknownValueError as error:
            result.unevaluated += error.message
    return result


def remedied(
    name: str, given: ResourceFixture, settings: Mapping[str, Any] | None = None
) -> Mapping[str, Any] | None:
    """Return the inputs after the policy's remediation; None if it changes nothing."""
    policy = named(name).policy()
    assert isinstance(policy, ResourceValidationPolicy)
    return _finish(policy.remediate(_args(given, settings)))


def resources_of(given: Sequence[ResourceFixture]) -> list[Resource]:
    """Return `given` as resources, for functions that work on a stack without a policy."""
    return [Resource(item.urn, item.type, item.name, Node(plain(item.props)), item.protect) for item in given]


def changed(props: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of `props` with values set (with DROP: removed) at paths like ``spec.list[0].key``."""
    result = copy.deepcopy(dict(props))
    for path, value in changes.items():
        found = _PART.findall(path)
        parts = [quoted or (int(index) if index else key) for quoted, index, key in found]
        target: Any = result
        for part, following in itertools.pairwise(parts):
            if isinstance(target, dict):
                target = target.setdefault(part, [] if isinstance(following, int) else {})
            else:
                target = target[part]
        last = parts[-1]
        if value is DROP:
            target.pop(last, None)
        elif isinstance(target, list) and last == len(target):
            target.append(value)
        else:
            target[last] = value
    return result


def _finish(result: Any) -> Any:
    """Return the result of a callback; an awaitable is run to completion."""

    async def wait(awaitable: Awaitable[Any]) -> Any:
        return await awaitable

    return asyncio.run(wait(result)) if inspect.isawaitable(result) else result


def _wire(value: Any) -> Any:
    """Return `value` as the SDK decodes it for a validation."""
    if value is UNKNOWN:
        return UNKNOWN_STRING_VALUE
    if isinstance(value, Secret):
        return _wire(value.value)
    if isinstance(value, Mapping):
        return {key: _wire(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_wire(item) for item in value]
    return value


def _options(given: ResourceFixture) -> PolicyResourceOptions:
    return PolicyResourceOptions(
        protect=given.protect,
        ignore_changes=[],
        delete_before_replace=None,
        aliases=[],
        custom_timeouts=PolicyCustomTimeouts(0, 0, 0),
        additional_secret_outputs=[],
        parent=given.parent or None,
    )


def _args(given: ResourceFixture, settings: Mapping[str, Any] | None) -> ResourceValidationArgs:
    props = unknown_checking_proxy(_wire(given.props))
    return ResourceValidationArgs(given.type, props, given.urn, given.name, _options(given), None, settings)


def _resource(given: ResourceFixture) -> PolicyResource:
    props = unknown_checking_proxy(_wire(given.props))
    return PolicyResource(given.type, props, given.urn, given.name, _options(given), None, None, [], {})
