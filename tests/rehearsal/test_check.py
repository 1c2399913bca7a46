"""`kingdom check`: plain manifests, judged by the pack, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.analyzer import PolicyConfigError
from rehearsal.check import check
from rehearsal.errors import InputError

BAD = """\
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web, namespace: shop}
  spec:
    template:
      spec:
        hostNetwork: true
        containers:
        - name: a
          image: nginx
"""
GOOD = """\
apiVersion: v1
kind: Pod
metadata: {name: fine}
spec:
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: a
    image: nginx
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""


def test_a_finding_has_file_line_object_and_path_also_inside_a_list(tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text("---\n# a comment\n---\n" + BAD)
    report = check([str(file)], only=("pss-host-namespaces",))
    [found] = report.remarks
    assert (found.file, found.line, found.path) == (str(file), 13, "spec.template.spec.hostNetwork")
    assert (found.kind, found.name, found.namespace) == ("Deployment", "web", "shop")
    assert not report.ok


def test_a_pod_of_the_restricted_standard_is_ok_and_house_rules_are_advice(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(GOOD)
    report = check([str(tmp_path)])
    assert report.ok
    assert report.counts["advisory"] > 0
    assert not check([str(tmp_path)], strict=True).ok


def test_folders_leave_out_what_is_no_kubernetes_object(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "pod.yaml").write_text(GOOD)
    (tmp_path / "values.yaml").write_text("replicas: 3\n")
    assert check([str(tmp_path)]).objects == 1


def test_everything_that_cannot_be_read_is_listed_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [b\nc: d")
    (tmp_path / "b.yaml").write_text("replicas: 3\n")
    (tmp_path / "c.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError) as caught:
        check([str(tmp_path / name) for name in ("a.yaml", "b.yaml", "c.yaml", "d.yaml")])
    text = str(caught.value)
    for part in ("a.yaml:2", "b.yaml:1: no Kubernetes object", "c.yaml", "d.yaml: No such file"):
        assert part in text
    assert caught.value.exit_code == 2


def test_a_wrong_configuration_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(GOOD)
    with pytest.raises(PolicyConfigError, match="did you mean 'pss-seccomp'"):
        check([str(tmp_path)], config={"pss-secomp": "disabled"})


def test_json_has_what_the_text_has(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(BAD)
    report = check([str(tmp_path)])
    data = report.to_json()
    assert data["counts"]["mandatory"] == len(
        [item for item in data["findings"] if item["level"] == "mandatory"]
    )
    assert len(report.lines()) == 2 * len(data["findings"]) + 1
