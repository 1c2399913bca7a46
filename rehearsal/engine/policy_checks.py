"""Policy checks of an operation over Pulumi's Analyzer protocol."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from pulumi.runtime.proto import analyzer_pb2

from rehearsal.engine.diff import property_changes
from rehearsal.engine.events import Remediation, Violation
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.errors import KingdomError
from rehearsal.pulumi.properties import (
    Properties,
    contains_unknown,
    decode,
    encode,
    with_secrets_of,
    without_references,
)
from rehearsal.pulumi.urn import ROOT_STACK_TYPE, make_urn, name_of, split_reference


class Pack(Protocol):
    """Running policy pack, such as `rehearsal.policy.pack.PolicyPack`."""

    @property
    def label(self) -> str: ...

    @property
    def remediates(self) -> bool:
        """Whether any policy rewrites inputs; otherwise `remediate` need not be called."""
        ...

    def analyze(self, request: analyzer_pb2.AnalyzeRequest) -> list[analyzer_pb2.AnalyzeDiagnostic]: ...

    def analyze_stack(
        self, request: analyzer_pb2.AnalyzeStackRequest
    ) -> list[analyzer_pb2.AnalyzeDiagnostic]: ...

    def remediate(self, request: analyzer_pb2.AnalyzeRequest) -> list[analyzer_pb2.Remediation]: ...


class PolicyChecks:
    """Findings of one pack in one operation. Without a pack there are none. Thread-safe.

    A second pack, `compared`, has findings of its own, which do not affect the operation.
    """

    def __init__(self, pack: Pack | None, compared: Pack | None = None) -> None:
        self._pack = pack
        self._compared = None if compared is None else PolicyChecks(compared)
        self._violations: list[Violation] = []
        self._remediations: list[Remediation] = []
        self._lock = threading.Lock()

    def remediate(self, resource: ResourceState, provider: ResourceState | None) -> Properties:
        """Return the inputs of `resource` after the pack's remediations."""
        if self._pack is None or not self._pack.remediates:
            return resource.inputs
        inputs = resource.inputs
        for remedy in self._pack.remediate(_request(resource, provider)):
            if remedy.HasField("properties") and remedy.properties.fields:
                before = inputs
                inputs = with_secrets_of(decode(remedy.properties), before)
                found = Remediation(
                    policy=remedy.policyName,
                    pack=remedy.policyPackName,
                    urn=resource.urn,
                    source=resource.source_position,
                    # An unknown compares as different although no policy changed it.
                    changes=tuple(
                        change
                        for change in property_changes(before, inputs)
                        if not contains_unknown(change.old)
                    ),
                    description=remedy.description,
                )
                with self._lock:
                    self._remediations.append(found)
        return inputs

    def resource(self, resource: ResourceState, provider: ResourceState | None) -> list[Violation]:
        """Evaluate resource policies on the inputs of `resource` and return the findings."""
        self._compare(lambda checks: checks.resource(resource, provider))
        if self._pack is None:
            return []
        found = [
            _violation(item, resource.source_position, resource.urn)
            for item in self._pack.analyze(_request(resource, provider))
        ]
        return self._recorded(found)

    def stack(self, resources: Iterable[ResourceState]) -> list[Violation]:
        """Evaluate stack policies on the outputs of `resources` and return the findings.

        A finding whose URN is not among `resources` is one of the root stack.
        """
        resources = list(resources)
        self._compare(lambda checks: checks.stack(resources))
        if self._pack is None:
            return []
        providers = {resource.urn: resource for resource in resources}
        request = analyzer_pb2.AnalyzeStackRequest(
            resources=[
                analyzer_pb2.AnalyzerResource(
                    type=resource.type,
                    urn=resource.urn,
                    name=name_of(resource.urn),
                    properties=encode(without_references(resource.outputs)),
                    options=_options(resource),
                    provider=_provider(providers.get(split_reference(resource.provider)[0])),
                    parent=resource.parent,
                    dependencies=resource.dependencies,
                    propertyDependencies={
                        key: analyzer_pb2.AnalyzerPropertyDependencies(urns=urns)
                        for key, urns in resource.property_dependencies.items()
                    },
                )
                for resource in resources
            ]
        )
        sources = {resource.urn: resource.source_position for resource in resources}
        found = [_violation(item, sources.get(item.urn, "")) for item in self._pack.analyze_stack(request)]
        root = _root_stack(resources)
        return self._recorded([item if item.urn in sources else replace(item, urn=root) for item in found])

    def _compare(self, evaluate: Callable[[PolicyChecks], object]) -> None:
        if (compared := self._compared) is not None:
            try:
                evaluate(compared)
            except KingdomError:  # an evaluation with that pack alone reports it
                self._compared = None

    def _recorded(self, found: list[Violation]) -> list[Violation]:
        with self._lock:
            self._violations.extend(found)
        return found

    @property
    def violations(self) -> list[Violation]:
        """All findings: mandatory first, then by policy and resource."""
        with self._lock:
            return sorted(
                set(self._violations),
                key=lambda item: (not item.mandatory, item.policy, item.urn, item.message),
            )

    @property
    def compared(self) -> list[Violation] | None:
        """The findings of the second pack in a preview, in the same order.

        None without one, if it failed, and if one of the packs rewrites inputs: then a plan with the second
        pack alone may differ.
        """
        compared = self._compared
        if compared is None or self._rewrites:
            return None
        try:
            return None if compared._rewrites else compared.violations
        except KingdomError:
            return None

    @property
    def _rewrites(self) -> bool:
        return self._pack is not None and self._pack.remediates

    @property
    def remediations(self) -> list[Remediation]:
        """All remediations by policy and resource."""
        with self._lock:
            return sorted(self._remediations, key=lambda item: (item.policy, item.urn))


def _root_stack(resources: Sequence[ResourceState]) -> str:
    """Return the URN of the root stack of `resources`, also if it is not among them; "" without any."""
    if not resources:
        return ""
    stack, project, *_ = resources[0].urn.removeprefix("urn:pulumi:").split("::")
    return make_urn(stack, project, ROOT_STACK_TYPE, f"{project}-{stack}")


def _request(resource: ResourceState, provider: ResourceState | None) -> analyzer_pb2.AnalyzeRequest:
    return analyzer_pb2.AnalyzeRequest(
        type=resource.type,
        urn=resource.urn,
        name=name_of(resource.urn),
        properties=encode(without_references(resource.inputs)),
        options=_options(resource),
        provider=_provider(provider),
    )


def _options(resource: ResourceState) -> analyzer_pb2.AnalyzerResourceOptions:
    timeouts: dict[str, Any] = dict(resource.custom_timeouts)
    return analyzer_pb2.AnalyzerResourceOptions(
        protect=resource.protect,
        ignoreChanges=resource.ignore_changes,
        additionalSecretOutputs=resource.additional_secret_outputs,
        customTimeouts=analyzer_pb2.AnalyzerResourceOptions.CustomTimeouts(**timeouts),
        parent=resource.parent,
    )


def _provider(provider: ResourceState | None) -> analyzer_pb2.AnalyzerProviderResource | None:
    if provider is None:
        return None
    return analyzer_pb2.AnalyzerProviderResource(
        type=provider.type,
        urn=provider.urn,
        name=name_of(provider.urn),
        properties=encode(without_references(provider.inputs)),
    )


def _violation(item: analyzer_pb2.AnalyzeDiagnostic, source: str, urn: str = "") -> Violation:
    level = "mandatory" if item.enforcementLevel == analyzer_pb2.MANDATORY else "advisory"
    # The policy SDK reports a rule that read an unknown value as an advisory diagnostic of this wording
    # (``pulumi_policy/policy.py``, pulumi-policy#258). It is not a finding: the rule was not evaluated.
    if item.message.startswith("can't run policy"):
        level = "unevaluated"
    return Violation(
        policy=item.policyName,
        pack=item.policyPackName,
        level=level,
        message=item.message,
        description=item.description,
        urn=item.urn or urn,
        source=source,
    )
