"""The faster server of the pack has the results of the SDK's server."""

from __future__ import annotations

import contextvars
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi
import pulumi_policy.policy as sdk
import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import (
    Policy,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)

from policies.model.property_tree import Finding
from policies.model.stack import Resource, Stack
from policies.pack.rule import MANDATORY, forget_inputs, rule
from policies.pack.server import server_class

COMMON: dict[str, Any] = {"concern": "sizes", "remediation": "Lower it.", "severity": Severity.LOW}
DISK, VM = "test:index/disk:Disk", "test:index/vm:Vm"


@rule("size", "A disk must be small.", types=DISK, **COMMON)
def size(resource: Resource, _: Mapping[str, Any]) -> Iterator[Finding]:
    if resource.node["size"].number() > 10:
        yield resource.node["size"].finding("is too large")


@rule("total", "All disks must be small.", scope="stack", **COMMON)
def total(stack: Stack, _: Mapping[str, Any]) -> Iterator[Finding]:
    sizes = sum(item.node["size"].number() for item in stack.resources if item.type == DISK)
    if sizes > 20:
        yield Finding(f"{sizes:g} is too large", urn=stack.resources[0].urn)


@rule("count", "There must be one disk.", scope="stack", **COMMON)
def count(stack: Stack, _: Mapping[str, Any]) -> Iterator[Finding]:
    if len(stack.resources) > 1:
        yield Finding("is one too many", urn=stack.resources[1].urn)


def foreign(args: ResourceValidationArgs, report: ReportViolation) -> None:
    report(f"saw {args.name}", None)


def foreign_stack(args: StackValidationArgs, report: ReportViolation) -> None:
    report(f"saw {len(args.resources)}", None)


RULES = (size, total, count)


def policies() -> list[Policy]:
    return [
        *(each.policy() for each in RULES),
        ResourceValidationPolicy("foreign", "Another pack's.", foreign),
        StackValidationPolicy("foreign-stack", "Another pack's.", foreign_stack),
    ]


def server(cls: Any) -> Any:
    return cls("pack", "1.0.0", policies(), MANDATORY)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    forget_inputs()
    yield
    forget_inputs()


def struct(**values: Any) -> struct_pb2.Struct:
    found = struct_pb2.Struct()
    found.update(values)
    return found


def resource(kind: str, name: str, gb: float) -> dict[str, Any]:
    urn = f"urn:pulumi:s::p::{kind}::{name}"
    return {"type": kind, "urn": urn, "name": name, "properties": struct(size=gb)}


def analyze(cls: Any, kind: str, name: str, gb: float) -> set[tuple[str, str]]:
    response = server(cls).Analyze(analyzer_pb2.AnalyzeRequest(**resource(kind, name, gb)), None)
    return {(each.policyName, each.message) for each in response.diagnostics}


def analyze_stack(cls: Any) -> set[tuple[str, str, str]]:
    resources = [
        analyzer_pb2.AnalyzerResource(**resource(DISK, "a", 15)),
        analyzer_pb2.AnalyzerResource(**resource(DISK, "b", 15)),
    ]
    response = server(cls).AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=resources), None)
    return {(each.policyName, each.message, each.urn) for each in response.diagnostics}


@pytest.mark.parametrize(("kind", "gb"), [(DISK, 11), (DISK, 10), (VM, 11)])
def test_a_resource_has_the_findings_of_the_server_of_the_sdk(kind: str, gb: float) -> None:
    found = analyze(server_class(RULES), kind, "a", gb)
    assert found == analyze(sdk._PolicyAnalyzerServicer, kind, "a", gb)
    assert ("size" in {name for name, _ in found}) is (kind == DISK and gb > 10)
    assert "foreign" in {name for name, _ in found}


def test_a_stack_has_the_findings_of_the_server_of_the_sdk() -> None:
    found = analyze_stack(server_class(RULES))
    assert found == analyze_stack(sdk._PolicyAnalyzerServicer)
    assert {name for name, _, _ in found} == {"total", "count", "foreign-stack"}


def test_the_state_is_decoded_once_for_all_policies_of_the_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = sdk
    deserialize = module.deserialize_properties
    calls: list[Any] = []

    def counted(*args: Any) -> Any:
        calls.append(args)
        return deserialize(*args)

    monkeypatch.setattr(module, "deserialize_properties", counted)
    analyze_stack(server_class(RULES))
    # Both resources, once for the pack and once for the policy of another pack.
    assert len(calls) == 4
    calls.clear()
    analyze_stack(sdk._PolicyAnalyzerServicer)
    assert len(calls) == 6


def test_settings_are_read_once_and_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    seen: list[tuple[str, str | None]] = []

    def config() -> dict[str, str]:
        read.append("environment")
        return {"kingdom:size": "large"}

    def look(args: ResourceValidationArgs, report: ReportViolation) -> None:
        seen.append((pulumi.get_stack(), pulumi.Config("kingdom").get("size")))

    for name, value in (("PROJECT", "kingdom"), ("STACK", "dev"), ("DRY_RUN", "true")):
        monkeypatch.setenv(f"PULUMI_{name}", value)
    monkeypatch.setattr(pulumi.runtime, "get_config_env", config)
    policies: list[Policy] = [ResourceValidationPolicy("look", "Looks.", look)]
    ours = server_class(RULES)("pack", "1.0.0", policies, MANDATORY)

    shared = contextvars.Context().run(pulumi.runtime.config.CONFIG.get)
    monkeypatch.setitem(shared, "kingdom:size", "small")  # restored after the test
    for name in "ab":
        request = analyzer_pb2.AnalyzeRequest(**resource(DISK, name, 1))
        contextvars.Context().run(ours.Analyze, request, None)  # as gRPC does
    assert seen == [("dev", "large")] * 2
    assert read == ["environment"]


def test_policies_of_other_types_are_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    chosen: Any = sdk._PolicyAnalyzerServicer
    original = chosen.Analyze

    def spying(self: Any, request: Any, context: Any) -> Any:
        called.extend(policy.name for policy in self._PolicyAnalyzerServicer__policies)
        return original(self, request, context)

    cls = server_class(RULES)
    monkeypatch.setattr(chosen, "Analyze", spying)
    analyze(cls, VM, "a", 11)
    assert called == ["foreign", "foreign-stack"]
