"""`kingdom check`: plain manifests evaluated by the policy pack, with file and line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import FrameType

import pytest

from rehearsal.errors import InputError
from rehearsal.policy.manifest_check import check
from rehearsal.policy.pack_files import PolicyConfigError
from tests.support.manifests import LIST

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
    file.write_text("---\n# a comment\n---\n" + LIST)
    report = check([str(file)], only=("pss-host-namespaces",))
    [found] = report.remarks
    assert (found.file, found.line, found.path) == (str(file), 13, "spec.template.spec.hostNetwork")
    assert (found.kind, found.name, found.namespace) == ("Deployment", "web", "shop")
    assert not report.ok


def test_platform_specific_policies_run_only_with_strict_or_by_name(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(GOOD)
    assert check([str(tmp_path)]).remarks == ()
    assert not check([str(tmp_path)], strict=True).ok
    named = check([str(tmp_path)], only=("image-digest",))
    assert [(item.policy, item.level) for item in named.remarks] == [("image-digest", "advisory")]
    configured = check([str(tmp_path)], config={"image-digest": "mandatory"})
    assert [(item.policy, item.level) for item in configured.remarks] == [("image-digest", "mandatory")]


PATCH = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      hostNetwork: true
      containers: [{name: a, image: nginx}]
"""


@pytest.mark.parametrize("key", ["patchesStrategicMerge: [web.yaml]", "patches: [{path: ./web.yaml}]"])
@pytest.mark.parametrize("head", ["", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"])
def test_absent_values_of_a_patch_are_not_evaluated(tmp_path: Path, key: str, head: str) -> None:
    (tmp_path / "web.yaml").write_text(PATCH)
    assert "pss-seccomp" in {item.policy for item in check([str(tmp_path)]).remarks}
    (tmp_path / "kustomization.yaml").write_text(f"{head}{key}\n")
    report = check([str(tmp_path)])
    assert [(item.policy, item.path) for item in report.remarks if item.level == "mandatory"] == [
        ("pss-host-namespaces", "spec.template.spec.hostNetwork")
    ]
    [line] = report.unevaluated
    assert line.startswith(f"{tmp_path}/web.yaml:1: Deployment web: is a patch: what is absent here")


def test_a_kustomization_without_a_suffix_names_its_patches(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(PATCH)
    (tmp_path / "Kustomization").write_text("patches: [{path: web.yaml}]\n")
    assert "pss-seccomp" not in {item.policy for item in check([str(tmp_path)]).remarks}


def test_a_comment_in_a_patch_about_what_the_object_may_have_is_not_unused(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text("# kingdom: ignore pss-seccomp -- the object sets it\n" + PATCH)
    (tmp_path / "kustomization.yaml").write_text("patches: [{path: web.yaml}]\n")
    policies = {item.policy for item in check([str(tmp_path)]).remarks}
    assert "ignore-comment" not in policies
    (tmp_path / "web.yaml").write_text("# kingdom: ignore pss-host-ports -- a reason\n" + PATCH)
    assert "ignore-comment" in {item.policy for item in check([str(tmp_path)]).remarks}


def test_container_without_an_image_belongs_to_a_patch(tmp_path: Path) -> None:
    # As in the patches of a kubeadm configuration; the API server requires an image.
    (tmp_path / "manager.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n"
        "  - {name: a, env: [{name: DB_PASSWORD, value: hunter2hunter2}]}\n"
    )
    report = check([str(tmp_path)])
    assert [item.policy for item in report.remarks if item.level == "mandatory"] == ["no-secret-variables"]
    assert len(report.unevaluated) == 1


def test_a_wrong_configuration_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(GOOD)
    with pytest.raises(PolicyConfigError, match="did you mean 'pss-seccomp'"):
        check([str(tmp_path)], config={"pss-secomp": "disabled"})


def test_json_has_what_the_text_has(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(LIST)
    report = check([str(tmp_path)], strict=True)
    data = report.to_json()
    assert data["counts"]["mandatory"] == len(
        [item for item in data["findings"] if item["level"] == "mandatory"]
    )
    text = report.lines()
    for item in data["findings"]:
        assert any(
            f"{item['line']}: {item['level']} [{item['severity']}] {item['policy']}" in t for t in text
        )
        assert f"    Remediation: {item['remediation']}" in text
        assert not item["url"] or f"    {item['url']}" in text
    assert [line for line in report.lines(diff=True) if line not in report.lines()] == [
        f"    + {change['path']}: {json.dumps(change['new'])}"
        for item in data["findings"]
        for change in item["remedy"]
    ]
    assert {item["policy"] for item in data["findings"] if item["remedy"]} == {
        "labels",
        "pss-seccomp",
        "service-account-token",
    }


def test_a_filter_that_matches_no_policy_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(GOOD)
    with pytest.raises(InputError, match="did you mean 'pss-seccomp'"):
        check([str(tmp_path)], only=("pss-secomp",))


def test_unevaluated_documents_are_listed(tmp_path: Path) -> None:
    (tmp_path / "quota.yaml").write_text(
        "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q, namespace: a}\n"
        "spec: {hard: {count/widgets.example.com: '3', gpus.example.com/x: '1', strange: '1'}}\n"
    )
    report = check([str(tmp_path)])
    assert any("strange" in note for note in report.unevaluated)
    assert "not evaluated: " in "\n".join(report.lines())
    assert report.lines()[-1].endswith(f"{len(report.unevaluated)} not evaluated")
    assert report.to_json()["unevaluated"] == list(report.unevaluated)


def test_a_duplicate_key_is_reported_and_the_last_one_applies(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(GOOD + "  hostPID: false\n  hostPID: true\n")
    report = check([str(file)])
    assert [item.line for item in report.remarks if item.policy == "pss-host-namespaces"] == [11]
    assert "hostPID is written twice: only the last one counts here" in {
        item.message for item in report.remarks if item.policy == "schema"
    }


HOST = """\
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  # kingdom: ignore pss-host-namespaces, pss-host-ports -- observes the node
  hostNetwork: true
  hostPID: true
  containers:
  - name: a
    image: i
    # kingdom: ignore pss-privileged -- loads a kernel module
    securityContext: {privileged: true}
  - name: b
    image: i
    securityContext: {privileged: true}
"""


def test_an_ignore_comment_covers_what_is_below_its_line_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(HOST)
    report = check([str(file)], only=("pss-host-namespaces", "pss-privileged"))
    assert [(item.policy, item.line) for item in report.remarks] == [
        ("pss-host-namespaces", 7),
        ("pss-privileged", 15),
    ]
    assert [(item.policy, item.line, reason) for item, reason in report.ignored] == [
        ("pss-host-namespaces", 6, "observes the node"),
        ("pss-privileged", 12, "loads a kernel module"),
    ]
    assert report.to_json()["ignored"][0]["reason"] == "observes the node"


def test_an_ignore_comment_above_an_object_covers_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text("# kingdom: ignore pss-privileged -- a test bed\n---\n" + HOST)
    report = check([str(file)], only=("pss-privileged",))
    assert report.remarks == ()
    assert len(report.ignored) == 2


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("# kingdom: ignore pss-privileged", "gives no reason"),
        ("# kingdom: ignore pss-privileged --", "gives no reason"),
        ("# kingdom: ignore -- a reason", "names no policy"),
        ("# kingdom: ignore pss-privleged -- a reason", "did you mean 'pss-privileged'"),
        ("# kingdom: ignore pss-sysctls -- a reason", "suppresses no finding"),
    ],
)
def test_a_wrong_ignore_comment_suppresses_nothing_and_is_reported(
    tmp_path: Path, comment: str, message: str
) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(f"{comment}\n{HOST.replace('# kingdom:', '#')}")
    report = check([str(file)])
    assert report.ignored == ()
    [found] = [item for item in report.remarks if item.policy == "ignore-comment"]
    assert message in found.message
    assert found.line == 1


def test_a_comment_about_a_policy_that_is_not_evaluated_is_not_unused(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text("# kingdom: ignore image-digest, pss-sysctls -- a reason\n" + GOOD)
    [found] = check([str(file)]).remarks
    assert found.message == "suppresses no finding of pss-sysctls"
    strict = check([str(file)], strict=True)
    assert [item.policy for item, _ in strict.ignored] == ["image-digest"]
    assert "suppresses no finding of pss-sysctls" in {item.message for item in strict.remarks}


def test_objects_with_generated_names_are_not_duplicates(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(f"{GOOD}---\n{GOOD}".replace("name: fine", "generateName: fine-"))
    assert check([str(file)], only=("duplicate-object",)).remarks == ()
    file.write_text(f"{GOOD}---\n{GOOD}")
    assert [item.line for item in check([str(file)], only=("duplicate-object",)).remarks] == [11]


def test_cost_has_no_place_in_manifests(tmp_path: Path) -> None:
    file = tmp_path / "service.yaml"
    file.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {type: LoadBalancer}\n")
    assert all(item.file and item.line for item in check([str(file)], strict=True).remarks)
    with pytest.raises(InputError, match="does not apply to manifests"):
        check([str(file)], only=("monthly-cost-ceiling",))


CUSTOM = {
    "a Rollout": "spec: {template: {spec: {containers: [CONTAINER]}}}",
    "a replicated job": "spec: {jobs: [{template: {spec: {template: {spec: {containers: [CONTAINER]}}}}}]}",
    "a template by another name": "spec: {podTemplate: {spec: {containers: [CONTAINER]}}}",
}


@pytest.mark.parametrize("spec", CUSTOM.values(), ids=CUSTOM)
def test_pod_templates_of_any_kind_are_evaluated(tmp_path: Path, spec: str) -> None:
    file = tmp_path / "custom.yaml"
    container = "{name: a, image: i, securityContext: {privileged: true}}"
    spec = spec.replace("CONTAINER", container)
    file.write_text(f"apiVersion: example.com/v1\nkind: Thing\nmetadata: {{name: a}}\n{spec}\n")
    [found] = check([str(file)], only=("pss-privileged",)).remarks
    assert found.path.endswith("containers[0].securityContext.privileged")


def test_a_container_outside_a_pod_template_is_listed_as_unevaluated(tmp_path: Path) -> None:
    file = tmp_path / "workflow.yaml"
    file.write_text(
        "apiVersion: example.com/v1\nkind: Flow\nmetadata: {name: a}\n"
        "spec: {steps: [{image: i, securityContext: {privileged: true}}]}\n"
    )
    report = check([str(file)], only=("PSS",))
    assert report.remarks == ()
    [note] = report.unevaluated
    assert "workflow.yaml:4: Flow a: spec.steps[0] is a container" in note


def test_security_context_of_a_custom_resource_is_listed(tmp_path: Path) -> None:
    (tmp_path / "spark.yaml").write_text(
        "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nmetadata: {name: a}\n"
        "spec: {image: i, driver: {securityContext: {privileged: true}}}\n"
    )
    [note] = check([str(tmp_path)], only=("PSS",)).unevaluated
    assert (
        "spec.driver.securityContext is set for SparkApplication 'a', a kind whose pods are unknown" in note
    )


def test_patterns_of_policy_engines_are_not_pods(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: a}\nspec: {rules: [{validate: "
        "{pattern: {spec: {template: {spec: {containers: [{image: '*', securityContext: {}}]}}}}}}]}\n"
    )
    report = check([str(file)], only=("PSS",))
    assert (report.remarks, report.unevaluated) == ((), ())


def test_a_directive_of_a_patch_is_not_a_type_of_volume(tmp_path: Path) -> None:
    (tmp_path / "patch.yaml").write_text(f"{PATCH}      volumes: [{{name: cert, $patch: delete}}]\n")
    report = check([str(tmp_path)])
    assert {item.policy for item in report.remarks if item.level == "mandatory"} == {"pss-host-namespaces"}
    assert any("is a patch" in line for line in report.unevaluated)


def test_assertions_of_a_test_are_listed_and_not_evaluated(tmp_path: Path) -> None:
    (tmp_path / "00-assert.yaml").write_text(PATCH)
    report = check([str(tmp_path)])
    assert (report.remarks, report.objects) == ((), 0)
    assert report.unevaluated == (
        f"{tmp_path}/00-assert.yaml: has the assertions of a test, which are not applied",
    )


def test_lines_of_text_have_no_control_characters_and_a_bounded_length(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        'apiVersion: v1\nkind: Pod\nmetadata: {name: "a\\nb\\e[31m\\u2028c"}\n'
        "spec: {hostPID: true, containers: [{name: a, image: b}]}\n---\n"
        "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q}\n"
        f"spec: {{hard: {{pods: {'x' * 9999}}}}}\n"
    )
    lines = check([str(tmp_path)]).lines()
    assert (
        f"{tmp_path}/a.yaml:4: mandatory [critical] pss-host-namespaces (Pod a\\nb\\x1b[31m\\u2028c)" in lines
    )
    assert all(line.isprintable() and len(line) < 2_000 for line in lines)
    assert any("xxx... xxx" in line for line in lines)


def test_required_fields_that_the_patched_object_has_are_not_missing(tmp_path: Path) -> None:
    patch = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n"
        "spec: {template: {spec: {containers: [{name: c, image: i, ports: [{containerPort: x}]}]}}}\n"
    )
    (tmp_path / "patch.yaml").write_text(patch)
    paths = [item.path for item in check([str(tmp_path)], only=("schema",)).remarks]
    assert "spec.selector" in paths
    (tmp_path / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\npatches: [{path: patch.yaml}]\n"
    )
    [found] = check([str(tmp_path)], only=("schema",)).remarks
    assert found.path == "spec.template.spec.containers[0].ports[0].containerPort"


LABELED = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: d@}
spec:
  replicas: 3
  template:
    metadata: {labels: {app: d@, team: x}}
    spec:
      priorityClassName: c@
      containers: [{name: main, image: i, resources: {limits: {cpu: 1, memory: 1Gi}}}]
---
"""
CRON_JOB = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: d@}
spec:
  schedule: "* * * * *"
  jobTemplate: {spec: {template: {spec: {containers: [{name: main, image: i}]}}}}
---
"""
CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: d@}
spec: {resources: {requests: {storage: 1Gi}}}
---
"""


def _another(kind: str, spec: str, api: str = "v1") -> str:
    metadata = f"metadata: {{name: {kind.lower()}@}}"
    return f"apiVersion: {api}\nkind: {kind}\n{metadata}\nspec: {spec}\n---\n"


def _budget(requirement: str) -> str:
    selector = f"{{matchExpressions: [{{key: app, {requirement}}}]}}"
    return _another("PodDisruptionBudget", f"{{maxUnavailable: 1, selector: {selector}}}", "policy/v1")


# Each with one object for every workload or claim, all in one namespace.
ONE_NAMESPACE = {
    "budgets that select everything": LABELED + _budget("operator: Exists"),
    "budgets that select one of many": LABELED + _budget("operator: In, values: [d@]"),
    "budgets that select nothing": LABELED + _budget("operator: DoesNotExist"),
    "limit ranges with equal bounds": LABELED
    + _another("LimitRange", "{limits: [{type: Container, max: {cpu: 2}}]}"),
    "limit ranges with different bounds": LABELED
    + _another("LimitRange", '{limits: [{type: Container, max: {cpu: "2@"}}]}'),
    "limit ranges that refuse everything": LABELED
    + _another("LimitRange", "{limits: [{type: Container, max: {cpu: 100m}}]}"),
    "limit ranges of claims": CLAIM
    + _another("LimitRange", "{limits: [{type: PersistentVolumeClaim, max: {storage: 2Gi}}]}"),
    "quotas with equal scopes": LABELED
    + _another("ResourceQuota", "{hard: {pods: 100k, requests.cpu: 100k}, scopes: [NotBestEffort]}"),
    "quotas of one priority class each": LABELED
    + _another(
        "ResourceQuota",
        "{hard: {pods: 100k}, scopeSelector: {matchExpressions: "
        "[{scopeName: PriorityClass, operator: In, values: [c@]}]}}",
    ),
    "quotas that every workload breaks": CRON_JOB
    + _another("ResourceQuota", "{hard: {pods: 100k, requests.cpu: 100k}}"),
    "quotas of claims": CLAIM
    + _another(
        "ResourceQuota",
        "{hard: {requests.storage: 1Ei, gold.storageclass.storage.k8s.io/requests.storage: 1Ei}}",
    ),
    "quotas beside custom resources": _another("Cluster", "{instances: 3}", "postgresql.cnpg.io/v1")
    + _another("ResourceQuota", "{hard: {pods: 100k, services: 100k}}"),
    "autoscalers beside limit ranges": LABELED
    + _another("LimitRange", "{limits: [{type: Container, max: {cpu: 2}}]}")
    + _another(
        "HorizontalPodAutoscaler",
        "{maxReplicas: 9, scaleTargetRef: {kind: Deployment, name: d@}}",
        "autoscaling/v2",
    ),
}


def _calls(tmp_path: Path, text: str, count: int) -> int:
    """Return the number of Python function calls of a check of `count` times the documents of `text`."""
    file = tmp_path / "many.yaml"
    file.write_text("".join(text.replace("@", str(at)) for at in range(count)))
    calls = 0

    def counted(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(counted)
    try:
        check([str(file)], strict=True)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.slow
@pytest.mark.parametrize("shape", ONE_NAMESPACE)
def test_work_is_linear_in_the_objects_of_one_namespace(tmp_path: Path, shape: str) -> None:
    text = ONE_NAMESPACE[shape]
    _calls(tmp_path, text, 1)  # loads modules and fills caches
    few, more, many = (_calls(tmp_path, text, count) for count in (30, 60, 90))
    # The second difference of a linear function is zero.
    assert many - 2 * more + few < 0.02 * many
