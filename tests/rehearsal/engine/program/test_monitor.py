"""Tests of protocol features that the resource monitor refuses: each by name, with file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from rehearsal.engine.program.runner import ProgramError
from rehearsal.errors import KingdomError
from rehearsal.providers.errors import ProviderError
from tests.rehearsal.engine.conftest import Stack
from tests.rehearsal.engine.fake_provider import Cloud
from tests.rehearsal.engine.program_folders import Case, errors


@pytest.mark.parametrize(
    ("statement", "type_"),
    [
        ('k8s.helm.v4.Chart("c", chart="./chart")', "kubernetes:helm.sh/v4:Chart"),
        ('k8s.yaml.v2.ConfigFile("c", file="m.yaml")', "kubernetes:yaml/v2:ConfigFile"),
        ('k8s.yaml.v2.ConfigGroup("c", files=["m.yaml"])', "kubernetes:yaml/v2:ConfigGroup"),
        ('k8s.kustomize.v2.Directory("c", directory=".")', "kubernetes:kustomize/v2:Directory"),
    ],
)
def test_components_that_a_provider_constructs_are_refused_by_name(
    tmp_path: Path, statement: str, type_: str
) -> None:
    case = Case.copy("kubernetes-yaml-configfile", tmp_path)
    (case.root / "__main__.py").write_text(f"import pulumi_kubernetes as k8s\n\n{statement}\n")
    (error,) = errors(case.preview())
    assert error.message.startswith(f"{type_} is a component that its provider constructs")
    assert error.source == "__main__.py:3"
    assert "pulumi" not in error.message.lower()  # not: "update the Pulumi CLI"


def test_function_of_an_unsupported_package_is_refused_with_its_position(tmp_path: Path) -> None:
    case = Case.copy("policy-pack-required", tmp_path)
    (case.root / "__main__.py").write_text('import pulumi\n\npulumi.runtime.invoke("aws:a/b:c", {})\n')
    with pytest.raises(KingdomError) as raised:
        case.preview()
    assert raised.value.message.startswith("__main__.py:3: aws:a/b:c: the program uses the package 'aws'")
    assert "gcp" in raised.value.remedy


def test_methods_of_resources_are_refused_by_name(stack: Stack) -> None:
    with pytest.raises(KingdomError) as raised:
        stack.preview("""
            from pulumi.runtime import call
            thing = Thing("a")
            call("toy:index:Thing/restart", {}, thing).apply(print)
        """)
    assert "toy:index:Thing/restart is a method of a resource, which kingdom does not support" in str(
        raised.value
    )


def _failing(args: dict[str, Any]) -> dict[str, Any]:
    raise ProviderError(grpc.StatusCode.UNAVAILABLE, "unavailable")


@pytest.mark.parametrize("call", ["invoke", "invoke_async"])
def test_program_handles_the_error_of_a_function(stack: Stack, cloud: Cloud, call: str) -> None:
    """The text of the error is the one that the SDK has under the CLI."""
    cloud.functions["toy:index:failing"] = _failing
    result = stack.update(f"""
        async def called():
            try:
                found = pulumi.runtime.{call}("toy:index:failing", {{}})
                return await found if {call == "invoke_async"} else found.value
            except Exception as error:
                return str(error)

        Thing("a", value=pulumi.Output.from_input(called()))
    """)
    assert result.ok, result.diagnostics
    assert stack.record("a").inputs["value"] == (
        "invoke of toy:index:failing failed: invocation of toy:index:failing returned an error: unavailable"
    )


def test_error_of_a_function_that_returns_an_output_ends_the_program(stack: Stack, cloud: Cloud) -> None:
    cloud.functions["toy:index:failing"] = _failing
    with pytest.raises(ProgramError) as raised:
        stack.update('pulumi.export("x", pulumi.runtime.invoke_output("toy:index:failing", {}))\n')
    assert raised.value.message.endswith("toy:index:failing: unavailable")


def test_message_of_a_program_that_handles_the_error_of_a_function_has_precedence(
    stack: Stack, cloud: Cloud
) -> None:
    cloud.functions["toy:index:failing"] = _failing
    with pytest.raises(ProgramError, match=r"^the zone does not exist$"):
        stack.update("""
            try:
                pulumi.runtime.invoke("toy:index:failing", {})
            except Exception as error:
                raise pulumi.RunError("the zone does not exist") from error
        """)


VERSION = 'version="nonsense"'


@pytest.mark.parametrize(
    "statement",
    [
        f"Thing('a', opts=ResourceOptions({VERSION}))",
        f"Thing('a', opts=ResourceOptions({VERSION}, provider=Provider('p')))",
        f"Provider('p', opts=ResourceOptions({VERSION}))",
        f"Thing('a', opts=ResourceOptions({VERSION}, id='x'))",
    ],
)
def test_version_that_is_not_semantic_is_an_error_of_the_resource(stack: Stack, statement: str) -> None:
    (error,) = stack.preview(statement + "\n").errors
    assert error.message == "the version 'nonsense' is not a semantic version such as 1.2.3"


def test_version_that_is_not_semantic_is_an_error_of_a_function(stack: Stack, cloud: Cloud) -> None:
    cloud.functions["toy:index:one"] = lambda args: {"one": 1}
    with pytest.raises(ProgramError, match="'nonsense' is not a semantic version"):
        stack.preview(f"""
            options = pulumi.InvokeOptions({VERSION})
            pulumi.runtime.invoke("toy:index:one", {{}}, options)
        """)


def test_program_that_requires_another_version_of_the_cli_ends(stack: Stack) -> None:
    stack.up("pulumi.require_pulumi_version('>=3.0.0')\nThing('a')\n")
    with pytest.raises(ProgramError, match=r'__main__\.py:4: .* the version range ">=4\.0\.0"'):
        stack.update("pulumi.require_pulumi_version('>=4.0.0')\n")
    assert stack.names() == {"a"}


def test_function_receives_the_id_of_a_resource_in_place_of_a_reference(stack: Stack, cloud: Cloud) -> None:
    cloud.functions["toy:index:same"] = lambda args: args
    result = stack.up("""
        found = pulumi.runtime.invoke_output("toy:index:same", {"of": Thing("a"), "all": [Group("g")]})
        pulumi.export("found", found)
    """)
    assert result.outputs["found"] == {"of": stack.record("a").id, "all": [stack.record("g").urn]}


def test_error_of_a_function_has_no_position_of_the_root_stack(stack: Stack) -> None:
    with pytest.raises(ProgramError) as raised:
        stack.preview('pulumi.export("x", pulumi.runtime.invoke_output("pulumi:pulumi:nothing", {}))\n')
    assert raised.value.message.startswith("pulumi:pulumi:nothing: ")
