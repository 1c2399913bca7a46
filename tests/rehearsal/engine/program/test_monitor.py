"""Tests of protocol features that the resource monitor refuses: each by name, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.errors import KingdomError
from tests.rehearsal.engine.conftest import Stack
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
