"""Tests of Kubernetes objects from local files: YAML, Kustomize and Helm."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rehearsal.engine.events import Op
from rehearsal.errors import KingdomError
from rehearsal.providers.errors import ProviderError
from rehearsal.providers.kubernetes.functions import decode_yaml
from rehearsal.providers.outputs import Place
from tests.rehearsal.engine.program_folders import Case, ops

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: b}\n"
# The SDK warns about its own use of a deprecated argument.
pytestmark = pytest.mark.filterwarnings("ignore")

EMPTY = Place()
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


def test_plain_scalars_are_those_of_the_real_provider() -> None:
    """`resolve.go` of go.yaml.in/yaml/v2, and dates as they are written."""
    text = (
        "{apiVersion: v1, kind: Foo, a: yes, b: y, c: off, d: 12:30:45, e: 2020-01-01,"
        " f: 2020-01-02T03:04:05Z, g: 0o17, h: 017, i: 1e3, j: 08, k: 1_000,"
        " l: 'yes', m: ~, on: 1, 2: b, true: c}"
    )
    assert decode_yaml({"text": text}, EMPTY) == {
        "result": [
            {
                "apiVersion": "v1",
                "kind": "Foo",
                "a": True,
                "b": True,
                "c": False,
                "d": "12:30:45",
                "e": "2020-01-01",
                "f": "2020-01-02T03:04:05Z",
                "g": 15,
                "h": 15,
                "i": 1000.0,
                "j": 8.0,
                "k": 1000,
                "l": "yes",
                "m": None,
                "true": "c",
                "2": "b",
            }
        ]
    }


def test_documents_without_a_kind_are_left_out_and_lists_are_left_to_the_sdk() -> None:
    text = "a: 1\n---\n# nothing\n---\napiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Foo}]\n"
    (found,) = decode_yaml({"text": text}, EMPTY)["result"]
    assert found == {"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Foo"}]}


def test_transformation_sees_a_list_before_its_items(case: Case) -> None:
    one, two = (f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}}}" for name in ("one", "two"))
    (case.root / "m.yaml").write_text(f"apiVersion: v1\nkind: List\nitems: [{one}, {two}]\n")
    (case.root / "__main__.py").write_text(
        f"{IMPORTS}def shortened(found, opts):\n"
        "    if found['kind'] == 'List':\n        found['items'].pop()\n"
        "k8s.yaml.ConfigFile('f', 'm.yaml', transformations=[shortened])\n"
    )
    assert ops(case.up()) == {"f": Op.CREATE, "one": Op.CREATE}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[1, 2]", "must be a mapping"),
        ("{apiVersion: v1, kind: Foo, a: .inf}", "infinity"),
        ("[" * 3000, "nested too deeply"),
    ],
)
def test_text_that_is_not_an_object_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ProviderError, match=reason):
        decode_yaml({"text": text}, EMPTY)


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
    script = 'cat > "$3/values.json"; echo "$@" > "$3/arguments"; cat "$3/rendered.yaml"'
    _tool(case, monkeypatch, "helm", script)
    (case.root / "chart").mkdir()
    (case.root / "chart" / "rendered.yaml").write_text(CONFIG_MAP)
    (case.root / "__main__.py").write_text(
        f"{IMPORTS}options = k8s.helm.v3.LocalChartOpts(path='./chart', values={{'replicas': 2}},"
        " api_versions=['batch/v1'], kube_version='1.30')\n"
        "k8s.helm.v3.Chart('c', options)\n"
    )
    case.up()
    assert case.record("settings").inputs["data"] == {"a": "b"}
    assert '"replicas": 2' in (case.root / "chart" / "values.json").read_text()
    assert (case.root / "chart" / "arguments").read_text() == (
        "template c ./chart --values - --namespace default --include-crds --api-versions batch/v1"
        " --kube-version 1.30 --skip-tests\n"
    )


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
