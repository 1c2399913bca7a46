"""Manifests compared with the types of the Kubernetes SDK: exactly the API server's refusals are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.policy.manifest_schema import GROUP_VERSION, misfits
from rehearsal.policy.manifests import read
from rehearsal.pulumi.properties import format_path
from tests.support.manifests import POD


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "manifest.yaml"


def found(file: Path, text: str) -> list[tuple[str, str]]:
    """Path and message of each finding on the one object in `text`."""
    file.write_text(text)
    (manifest,) = read([str(file)]).manifests
    findings = list(misfits(manifest))
    assert {finding.urn for finding in findings} <= {manifest.resource.urn}
    return [(format_path(finding.path), finding.message) for finding in findings]


def test_valid_object_has_no_finding(file: Path) -> None:
    assert found(file, POD) == []


def test_wrong_types_and_names_are_found_at_their_paths(file: Path) -> None:
    text = POD + "    ports:\n    - containerPort: '80'\n  restartpolicy: Never\n"
    findings = dict(found(file, text))
    assert set(findings) == {"spec.containers[0].ports[0].containerPort", "spec.restartpolicy"}
    assert "expected an integer" in findings["spec.containers[0].ports[0].containerPort"]
    assert "restartPolicy" in findings["spec.restartpolicy"]


@pytest.mark.parametrize("version", ["a://[", "apps/v1/x", "Apps/v1", "v1 "])
def test_a_malformed_api_version_is_the_only_finding(file: Path, version: str) -> None:
    text = POD.replace("apiVersion: v1", f"apiVersion: '{version}'") + "  restartpolicy: Never\n"
    assert found(file, text) == [
        (
            "apiVersion",
            f"{version!r} is not an API version: write VERSION or GROUP/VERSION, such as apps/v1",
        )
    ]


@pytest.mark.parametrize("version", ["v1", "apps/v1", "networking.k8s.io/v1beta1", "0-a.b/v1"])
def test_group_and_version_are_accepted(version: str) -> None:
    assert GROUP_VERSION.fullmatch(version)


@pytest.mark.parametrize(
    "spec",
    [
        "resources: {limits: {cpu: 2, memory: 1.5}, requests: {cpu: 0.5}}",
        "resources: {limits: {cpu: -1}}",
    ],
)
def test_a_number_is_accepted_as_a_quantity(file: Path, spec: str) -> None:
    assert not [item for item in found(file, f"{POD}    {spec}\n") if "expected a string" in item[1]]


@pytest.mark.parametrize(
    "text",
    [
        "kind: ResourceQuota\nmetadata: {name: a}\nspec: {hard: {pods: 4}}\n",
        (
            "kind: LimitRange\nmetadata: {name: a}\nspec:\n"
            "  limits: [{type: Container, max: {cpu: 4}, maxLimitRequestRatio: {cpu: 2}}]\n"
        ),
        (
            "kind: Pod\nmetadata: {name: a}\nspec:\n  overhead: {cpu: 1}\n"
            "  containers: [{name: a, image: i}]\n  volumes: [{name: v, emptyDir: {sizeLimit: 1000}}]\n"
        ),
    ],
)
def test_numbers_are_accepted_in_every_map_of_quantities(file: Path, text: str) -> None:
    assert found(file, f"apiVersion: v1\n{text}") == []


def test_a_number_is_not_accepted_as_the_value_of_a_variable(file: Path) -> None:
    assert [path for path, _ in found(file, f"{POD}    env: [{{name: A, value: 3}}]\n")] == [
        "spec.containers[0].env[0].value"
    ]


def test_a_number_is_accepted_as_the_target_of_a_metric(file: Path) -> None:
    text = (
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\n"
        "spec:\n  maxReplicas: 3\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}\n"
        "  metrics:\n  - type: External\n"
        "    external: {metric: {name: queue}, target: {type: Value, value: 30}}\n"
    )
    assert found(file, text) == []


@pytest.mark.parametrize(("replicas", "accepted"), [("2", True), ("2.0", True), ("2.5", False)])
def test_a_whole_float_is_accepted_as_an_integer(file: Path, replicas: str, accepted: bool) -> None:
    text = (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a}}\nspec:\n  replicas: {replicas}\n"
        "  selector: {matchLabels: {app: a}}\n"
        "  template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: i}]}}\n"
    )
    assert [path for path, _ in found(file, text)] == ([] if accepted else ["spec.replicas"])


def test_status_is_not_checked(file: Path) -> None:
    assert found(file, f"{POD}status: {{phase: 3, nonsense: true}}\n") == []


def test_custom_resource_is_checked_for_its_metadata_only(file: Path) -> None:
    text = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a, labels: 3}\nspec: {replicas: x}\n"
    assert [path for path, _ in found(file, text)] == ["metadata.labels"]


def test_schemas_of_a_custom_resource_definition_are_not_checked(file: Path) -> None:
    text = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
        "metadata: {name: widgets.example.com}\nspec:\n  group: example.com\n"
        "  names: {kind: Widget, plural: widgets}\n  scope: NAMESPACED\n  validation: 3\n"
        "  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: 3}}}]\n"
    )
    assert not [path for path, _ in found(file, text) if "schema" in path or "validation" in path]
    assert "spec.versions[0].served" in dict(found(file, text.replace("served: true", "served: 3")))


def test_a_key_that_is_written_twice_is_found_once_at_its_path(file: Path) -> None:
    assert found(file, f"{POD}    tty: true\n    tty: false\n") == [
        ("spec.containers[0].tty", "tty is written twice: only the last one counts here")
    ]


def test_keys_of_merged_anchors_are_not_repeated(file: Path) -> None:
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: &a {x: '1'}\n"
        "  annotations:\n    <<: *a\n    <<: *a\n    x: '2'\n"
    )
    assert found(file, text) == []


def test_a_repeated_key_beside_a_merged_anchor_is_found(file: Path) -> None:
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: &a {x: '1'}\n"
        "  annotations: {<<: *a, x: '2', y: '3', y: '4'}\n"
    )
    assert [path for path, _ in found(file, text)] == ["metadata.annotations.y"]


@pytest.mark.parametrize("kind", ["deployment", "Deploymentt"])
def test_kind_that_kubernetes_does_not_have_is_reported_at_its_line(file: Path, kind: str) -> None:
    text = f"apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: a}}\n"
    assert found(file, text) == [("kind", f"Kubernetes has no kind {kind!r} in apps/v1")]


def test_a_kubeconfig_is_not_an_object_of_a_cluster(file: Path) -> None:
    assert found(file, "apiVersion: v1\nkind: Config\nclusters: []\nusers: []\n") == []


@pytest.mark.parametrize("line", ["$patch: delete", "$retainKeys: [a]", "$setElementOrder/ports: []"])
def test_directives_of_a_patch_are_accepted(file: Path, line: str) -> None:
    assert found(file, f"{POD}{line}\n") == []


@pytest.mark.parametrize(("version", "required"), [("v1", True), ("v1beta1", False)])
def test_versions_of_reviews_are_required_where_they_have_no_default(
    file: Path, version: str, required: bool
) -> None:
    text = (
        f"apiVersion: admissionregistration.k8s.io/{version}\nkind: ValidatingWebhookConfiguration\n"
        "metadata: {name: a}\nwebhooks: [{name: a.b.c, sideEffects: None, clientConfig: {url: 'https://a'}}]\n"
    )
    paths = [path for path, _ in found(file, text)]
    assert any("admissionReviewVersions" in path for path in paths) is required


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n", ["metadata.name"]),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ''}\n", ["metadata.name"]),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: a-}\n", []),
        ("apiVersion: example.com/v1\nkind: Settings\nspec: {}\n", []),  # a file that is never applied
        (
            "apiVersion: authorization.k8s.io/v1\nkind: SelfSubjectAccessReview\nspec: {}\n",
            [],
        ),
    ],
)
def test_a_stored_object_needs_a_name_or_the_beginning_of_one(
    file: Path, text: str, expected: list[str]
) -> None:
    assert [path for path, _ in found(file, text)] == expected
