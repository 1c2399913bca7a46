"""`kingdom check`: plain manifests evaluated by the policy pack, with file and line."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import pytest

from rehearsal.errors import InputError
from rehearsal.policy.manifest_check import check
from rehearsal.policy.manifest_sarif import sarif
from rehearsal.policy.pack_files import PolicyConfigError

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


def test_platform_specific_policies_run_only_with_strict_or_by_name(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(GOOD)
    assert check([str(tmp_path)]).remarks == ()
    assert not check([str(tmp_path)], strict=True).ok
    named = check([str(tmp_path)], only=("image-digest",))
    assert [(item.policy, item.level) for item in named.remarks] == [("image-digest", "advisory")]
    configured = check([str(tmp_path)], config={"image-digest": "mandatory"})
    assert [(item.policy, item.level) for item in configured.remarks] == [("image-digest", "mandatory")]


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


def test_container_without_an_image_belongs_to_a_patch(tmp_path: Path) -> None:
    # As in the patches of a kubeadm configuration; the API server requires an image.
    (tmp_path / "manager.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n"
        "  - {name: a, env: [{name: DB_PASSWORD, value: hunter2hunter2}]}\n"
    )
    report = check([str(tmp_path)])
    assert [item.policy for item in report.remarks if item.level == "mandatory"] == ["no-secret-variables"]
    assert len(report.unevaluated) == 1


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pod.yaml").write_text(GOOD)
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    report = check([str(tmp_path)])
    assert (report.objects, report.unreadable) == (1, (f"{tmp_path}/closed: Permission denied",))
    assert report.exit_code == 2


def test_a_wrong_configuration_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(GOOD)
    with pytest.raises(PolicyConfigError, match="did you mean 'pss-seccomp'"):
        check([str(tmp_path)], config={"pss-secomp": "disabled"})


def test_json_has_what_the_text_has(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(BAD)
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


def test_empty_documents_null_items_and_lists_in_lists_are_read_through(tmp_path: Path) -> None:
    inner = "\n".join(f"  {line}" for line in BAD.splitlines())
    file = tmp_path / "odd.yaml"
    file.write_text(
        f"# only a comment\n---\n---\nnull\n---\napiVersion: v1\nkind: List\nitems:\n- null\n-{inner[1:]}\n"
        "---\napiVersion: example.com/v1\nkind: Widget\nmetadata: null\nspec: null\n---\n# the end\n"
    )
    report = check([str(file)])
    assert report.objects == 2
    [found] = [remark for remark in report.remarks if remark.policy == "pss-host-namespaces"]
    assert (found.line, found.kind, found.name) == (19, "Deployment", "web")


def test_objects_that_the_api_server_would_reject_are_advisory_findings(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(GOOD + "    ports:\n    - containerPort: '80'\n  restartpolicy: Never\n")
    report = check([str(file)])
    remarks = {(item.path, item.level, item.line) for item in report.remarks if item.policy == "schema"}
    assert remarks == {
        ("spec.containers[0].ports[0].containerPort", "advisory", 11),
        ("spec.restartpolicy", "advisory", 12),
    }


@pytest.mark.parametrize("version", ["a://[", "apps/v1/x", "Apps/v1", "v1 "])
def test_a_malformed_api_version_is_reported_at_its_place(tmp_path: Path, version: str) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(GOOD.replace("apiVersion: v1", f"apiVersion: '{version}'"))
    [found] = [item for item in check([str(file)]).remarks if item.policy == "schema"]
    assert (found.path, found.line) == ("apiVersion", 1)
    assert "VERSION or GROUP/VERSION" in found.message


def test_keys_and_values_are_read_as_kubectl_sends_them(tmp_path: Path) -> None:
    file = tmp_path / "map.yaml"
    file.write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, labels: {8080: a}}\n"
        "data: {1: a, true: b, when: 2026-01-01, API_TOKEN: hunter2}\n"
    )
    report = check([str(file)], only=("no-secret-variables",))
    assert [item.path for item in report.remarks] == ["data.API_TOKEN"]


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
    assert report.to_json()["unevaluated"] == list(report.unevaluated)


def test_json_is_read_however_it_is_indented_and_escaped(tmp_path: Path) -> None:
    file = tmp_path / "pod.json"
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a😀"}, "spec": {"hostPID": True}}
    file.write_text(json.dumps(pod, indent="\t"))
    [found] = check([str(file)], only=("pss-host-namespaces",)).remarks
    assert (found.name, found.line) == ("a😀", 8)


UNREADABLE = {
    "brackets": "[" * 100_000,
    "dashes": "- " * 60_000,
    "aliases": "a: &a [x, x]\n"
    + "".join(
        f"{new}: &{new} [*{old}, *{old}]\n" for old, new in itertools.pairwise("abcdefghijklmnopqrstuvwxyz")
    ),
    "itself": "metadata: &a {name: a, labels: *a}\n",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_what_would_exhaust_the_process_is_refused_at_once(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bomb.yaml"
    file.write_text(text if text.startswith(("[", "-")) else f"apiVersion: v1\nkind: Pod\n{text}")
    with pytest.raises(InputError, match="nested too deeply, or an anchor"):
        check([str(file)])


@pytest.mark.parametrize("kind", ["[Pod]", "3", "", "{a: b}", "true"])
def test_a_kind_is_text(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(f"apiVersion: v1\nkind: {kind}\nspec: {{hostPID: true}}\n")
    with pytest.raises(InputError, match="no Kubernetes object"):
        check([str(file)])


def test_a_template_is_distinguished_from_a_syntax_error(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: {{ .Values.name }}}\n")
    with pytest.raises(InputError, match="looks like a template: render it first"):
        check([str(file)])


def test_a_duplicate_key_is_reported_and_the_last_one_applies(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(GOOD + "  hostPID: false\n  hostPID: true\n")
    report = check([str(file)])
    assert [item.line for item in report.remarks if item.policy == "pss-host-namespaces"] == [11]
    assert "hostPID is written twice: only the last one counts here" in {
        item.message for item in report.remarks if item.policy == "schema"
    }


def test_an_unreadable_file_does_not_stop_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [b\nc: d")
    (tmp_path / "b.yaml").write_text("apiVersion: v1\nkind: Pod\nspec: {priority: .inf}\n---\n" + GOOD)
    (tmp_path / "c.yaml").write_text(GOOD)
    report = check([str(tmp_path)])
    assert report.objects == 2
    assert [line.split(": ")[0] for line in report.unreadable] == [
        f"{tmp_path / 'a.yaml'}:2",
        f"{tmp_path / 'b.yaml'}:3",
    ]
    assert (report.ok, report.exit_code) == (True, 2)
    assert sum(line.startswith("not read: ") for line in report.lines()) == 2


@pytest.mark.parametrize("pattern", ["charts", "charts/", "charts/*", "*/bad.yaml", "bad.yaml", "b*"])
def test_excluded_files_are_not_read(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts" / "bad.yaml").write_text("{{")
    (tmp_path / "pod.yaml").write_text(GOOD)
    report = check([str(tmp_path)], exclude=(pattern,))
    assert (report.objects, report.unreadable) == (1, ())


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


def test_an_ignore_comment_inside_a_text_is_text(tmp_path: Path) -> None:
    file = tmp_path / "map.yaml"
    file.write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  notes: |\n"
        "    # kingdom: ignore no-secret-values -- not a comment\n    key: AKIAABCDEFGHIJKLMNOP\n"
    )
    report = check([str(file)], only=("no-secret-values",))
    assert [item.policy for item in report.remarks] == ["no-secret-values"]
    assert report.ignored == ()


def test_cost_has_no_place_in_manifests(tmp_path: Path) -> None:
    file = tmp_path / "service.yaml"
    file.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {type: LoadBalancer}\n")
    assert all(item.file and item.line for item in check([str(file)], strict=True).remarks)
    with pytest.raises(InputError, match="does not apply to manifests"):
        check([str(file)], only=("monthly-cost-ceiling",))


def test_link_to_nothing_is_listed(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(GOOD)
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nothing.yaml")
    report = check([str(tmp_path)])
    assert report.unreadable == (f"{tmp_path}/gone.yaml: No such file or directory",)


@pytest.mark.parametrize("pattern", ["rendered/tests", "./rendered/tests/", "./tests", "rendered/t*"])
def test_excluded_folders_may_be_written_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rendered" / "tests").mkdir(parents=True)
    for folder in ("rendered", "rendered/tests"):
        (tmp_path / folder / "pod.yaml").write_text(GOOD)
    assert check(["rendered"], exclude=(pattern,)).objects == 1
    assert check(["rendered"], exclude=("rendered",)).objects == 2


def test_sarif_places_are_uris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a b#.yaml").write_text(BAD)
    outside = sarif(check([str(tmp_path)]))["runs"][0]["results"][0]
    monkeypatch.chdir(tmp_path)
    inside = [sarif(check([path]))["runs"][0]["results"][0] for path in (".", str(tmp_path))]
    places = [item["locations"][0]["physicalLocation"]["artifactLocation"] for item in (outside, *inside)]
    relative = {"uri": "a%20b%23.yaml", "uriBaseId": "%SRCROOT%"}
    assert places == [{"uri": f"file://{tmp_path}/a%20b%23.yaml"}, relative, relative]


def test_sarif_has_every_finding_and_its_suppression(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(HOST)
    report = check([str(file)])
    log = sarif(report)
    [run] = log["runs"]
    assert len(run["results"]) == len(report.remarks) + len(report.ignored)
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["locations"][0]["physicalLocation"]["region"]["startLine"] > 0
    suppressed = [item for item in run["results"] if "suppressions" in item]
    assert [item["suppressions"][0]["justification"] for item in suppressed] == [
        reason for _, reason in report.ignored
    ]


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
    assert "SparkApplication a: spec.driver is a container" in note


def test_patterns_of_policy_engines_are_no_pods(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: a}\nspec: {rules: [{validate: "
        "{pattern: {spec: {template: {spec: {containers: [{image: '*', securityContext: {}}]}}}}}}]}\n"
    )
    report = check([str(file)], only=("PSS",))
    assert (report.remarks, report.unevaluated) == ((), ())


def test_json_that_is_no_manifest_is_left_out_of_a_folder_and_reported_by_name(tmp_path: Path) -> None:
    (tmp_path / "dashboard.json").write_text('{"panels": [{"kind": "row"}]}')
    (tmp_path / "broken.json").write_text('{"panels": [')
    (tmp_path / "pod.json").write_text(
        '{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Pod",'
        ' "metadata": {"name": "a"}, "spec": {"hostNetwork": true, "containers": []}}]}'
    )
    report = check([str(tmp_path)], only=("pss-host-namespaces",))
    assert [remark.name for remark in report.remarks] == ["a"]
    assert [Path(line.split(":")[0]).name for line in report.unreadable] == ["broken.json"]
    with pytest.raises(InputError, match=r"dashboard\.json:1: no Kubernetes object"):
        check([str(tmp_path / "dashboard.json")])
