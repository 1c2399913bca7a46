"""Short manifests for tests of policies, and what `kingdom check` finds in them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent

from rehearsal.policy.manifest_check import check

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: fine}
spec:
  containers:
  - name: a
    image: nginx
"""
# A Deployment within a list; it shares the node's network.
LIST = """\
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


@dataclass(frozen=True)
class Outcome:
    """The findings of one policy on a manifest, and the values that it could not evaluate or prove."""

    findings: tuple[str, ...]
    unevaluated: tuple[str, ...]

    @property
    def result(self) -> str:
        """``found``, else ``unproven``, else ``clean``."""
        return "found" if self.findings else "unproven" if self.unevaluated else "clean"


def outcome(text: str, policy: str) -> Outcome:
    """Evaluate one policy on YAML documents."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "manifest.yaml"
        file.write_text(text)
        report = check([str(file)], only=(policy,))
    assert report.unreadable == ()
    return Outcome(tuple(remark.message for remark in report.remarks), report.unevaluated)


def workload(
    kind: str = "Deployment",
    *,
    api: str = "apps/v1",
    name: str = "a",
    namespace: str = "q",
    replicas: int | None = 1,
    resources: str = "{requests: {cpu: 100m, memory: 100Mi}, limits: {cpu: 100m, memory: 100Mi}}",
    labels: str = "{app: a}",
    spec: str = "",
    pod: str = "",
    container: str = "",
) -> str:
    """An object with a pod template of one container; `spec`, `pod` and `container` are further lines."""
    lines = [
        "---",
        f"apiVersion: {api}",
        f"kind: {kind}",
        f"metadata: {{name: {name}, namespace: {namespace}}}",
        "spec:",
        *([] if replicas is None else [f"  replicas: {replicas}"]),
        *_indented(spec, 2),
        f"  selector: {{matchLabels: {labels}}}",
        "  template:",
        f"    metadata: {{labels: {labels}}}",
        "    spec:",
        *_indented(pod, 6),
        "      containers:",
        "      - name: c",
        "        image: i",
        f"        resources: {resources}",
        *_indented(container, 8),
    ]
    return "\n".join(lines) + "\n"


def manifest(api: str, kind: str, spec: str, *, name: str = "x", namespace: str = "q", more: str = "") -> str:
    """An object in flow style; `more` goes into its metadata."""
    metadata = f"{{name: {name}, namespace: {namespace}{', ' if more else ''}{more}}}"
    return f"---\napiVersion: {api}\nkind: {kind}\nmetadata: {metadata}\nspec: {{{spec}}}\n"


def quota(hard: str, more: str = "", *, name: str = "quota") -> str:
    return manifest("v1", "ResourceQuota", f"hard: {{{hard}}}{', ' if more else ''}{more}", name=name)


def _indented(text: str, by: int) -> list[str]:
    return [indent(dedent(text).strip("\n"), " " * by)] if text.strip() else []
