"""Tests of Kubernetes objects from local files: YAML, Kustomize and Helm."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rehearsal.errors import KingdomError
from tests.rehearsal.engine.program_folders import Case

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: b}\n"
# The SDK warns about its own use of a deprecated argument.
pytestmark = pytest.mark.filterwarnings("ignore")

IMPORTS = "import pulumi, pulumi_kubernetes as k8s\n\n"


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case.copy("kubernetes-yaml-configfile", tmp_path)


def _tool(case: Case, monkeypatch: pytest.MonkeyPatch, name: str, script: str) -> None:
    """Put a shell script called `name` on PATH, in front of everything else."""
    folder = case.root / "bin"
    folder.mkdir()
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_config_file_registers_its_objects(case: Case) -> None:
    assert case.up().outputs["x"] == "inyaml"
    assert case.record("inyaml").parent == case.record("f").urn


def test_config_group_registers_files_and_text(case: Case) -> None:
    (case.root / "objects").mkdir()
    (case.root / "objects" / "one.yaml").write_text(CONFIG_MAP)
    (case.root / "__main__.py").write_text(
        f"{IMPORTS}k8s.yaml.ConfigGroup('g', files=['objects/*.yaml'],\n"
        "    yaml=['{apiVersion: v1, kind: Namespace, metadata: {name: space}}'])\n"
    )
    case.up()
    assert case.record("settings").inputs["data"] == {"a": "b"}
    assert case.record("space").type == "kubernetes:core/v1:Namespace"


def test_malformed_file_is_reported_with_its_line(case: Case) -> None:
    (case.root / "m.yaml").write_text("apiVersion: v1\nkind: [ConfigMap\n")
    with pytest.raises(KingdomError, match="not valid YAML in line 3"):
        case.preview()


def test_kustomize_directory_is_rendered(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    _tool(case, monkeypatch, "kustomize", 'cat "$2/rendered.yaml"')
    (case.root / "base").mkdir()
    (case.root / "base" / "rendered.yaml").write_text(CONFIG_MAP)
    (case.root / "__main__.py").write_text(f"{IMPORTS}k8s.kustomize.Directory('d', directory='base')\n")
    case.up()
    assert case.record("settings").inputs["data"] == {"a": "b"}


def test_local_helm_chart_is_rendered_with_its_values(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    _tool(case, monkeypatch, "helm", 'cat > "$3/values.json"; cat "$3/rendered.yaml"')
    (case.root / "chart").mkdir()
    (case.root / "chart" / "rendered.yaml").write_text(CONFIG_MAP)
    (case.root / "__main__.py").write_text(
        f"{IMPORTS}options = k8s.helm.v3.LocalChartOpts(path='./chart', values={{'replicas': 2}})\n"
        "k8s.helm.v3.Chart('c', options)\n"
    )
    case.up()
    assert case.record("settings").inputs["data"] == {"a": "b"}
    assert '"replicas": 2' in (case.root / "chart" / "values.json").read_text()


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (
            "k8s.helm.v3.Chart('c', k8s.helm.v3.ChartOpts(chart='nginx', repo='https://example.com'))",
            "kingdom downloads no charts",
        ),
        ("k8s.kustomize.Directory('d', directory='https://example.com/x')", "is not a local folder"),
        (
            "k8s.helm.v3.Chart('c', k8s.helm.v3.LocalChartOpts(path='.'))",
            "needs `helm` on PATH, which is not installed",
        ),
    ],
)
def test_refused_source_is_named_with_file_and_line(
    case: Case, monkeypatch: pytest.MonkeyPatch, statement: str, reason: str
) -> None:
    monkeypatch.setenv("PATH", str(case.root))
    (case.root / "__main__.py").write_text(f"{IMPORTS}{statement}\n")
    with pytest.raises(KingdomError, match=reason) as raised:
        case.preview()
    assert str(raised.value).startswith("__main__.py:3: ")
