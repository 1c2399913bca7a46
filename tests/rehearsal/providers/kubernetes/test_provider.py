"""Kubernetes objects: names, ids, identity of the cluster, and outputs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from rehearsal.pulumi.properties import UNKNOWN, Secret, decode, encode
from tests.rehearsal.providers.calls import Calls, urn

CONFIG_MAP, DEPLOYMENT = urn("kubernetes:core/v1:ConfigMap"), urn("kubernetes:apps/v1:Deployment")
NAMESPACE = urn("kubernetes:core/v1:Namespace")
RELEASE = urn("kubernetes:helm.sh/v3:Release")
NAMED = {"metadata": {"name": "it", "namespace": "kingdom"}}


def configured(**args: Any) -> Calls:
    calls = Calls.of("kubernetes")
    calls.stub.Configure(provider_pb2.ConfigureRequest(args=encode(args), acceptSecrets=True))
    return calls


# -- names and ids -------------------------------------------------------------------------------------


def test_missing_name_is_generated_and_stays(kubernetes: Calls) -> None:
    first = kubernetes.check(CONFIG_MAP, {}).inputs
    metadata = first["metadata"]
    assert re.fullmatch(r"it-[0-9a-f]{8}", metadata["name"])
    assert metadata["annotations"] == {"pulumi.com/autonamed": "true"}
    assert metadata["namespace"] == "default"
    again = kubernetes.check(CONFIG_MAP, {"data": {"a": "b"}}, first).inputs
    assert again["metadata"]["name"] == metadata["name"]


def test_given_and_server_generated_names_are_unchanged(kubernetes: Calls) -> None:
    assert kubernetes.check(CONFIG_MAP, NAMED).inputs == NAMED
    generated = {"metadata": {"generateName": "it-", "namespace": "kingdom"}}
    assert kubernetes.check(CONFIG_MAP, generated).inputs == generated
    assert re.fullmatch(r"kingdom/it-[0-9a-f]{5}", kubernetes.create(CONFIG_MAP, generated).id)


@pytest.mark.parametrize("metadata", [UNKNOWN, Secret({"name": "it"})])
def test_metadata_that_cannot_be_read_is_unchanged(kubernetes: Calls, metadata: Any) -> None:
    assert kubernetes.check(CONFIG_MAP, {"metadata": metadata}).inputs == {"metadata": metadata}


def test_namespace_is_that_of_the_provider_for_namespaced_kinds() -> None:
    calls = configured(namespace="kingdom")
    assert calls.make(CONFIG_MAP, {"metadata": {"name": "it"}}).id == "kingdom/it"
    assert calls.make(NAMESPACE, {"metadata": {"name": "it"}}).id == "it"


def test_release_has_a_name_and_namespace_of_its_own() -> None:
    calls = configured(namespace="kingdom")
    created = calls.make(RELEASE, {"chart": "redis"})
    assert re.fullmatch(r"kingdom/it-[0-9a-f]{8}", created.id)
    assert created.outputs["status"]["status"] == "deployed"
    preview = calls.create(RELEASE, {"chart": "redis"}, preview=True)
    assert preview.outputs["status"] is UNKNOWN


# -- diff ----------------------------------------------------------------------------------------------


def test_object_of_the_same_name_is_deleted_before_its_replacement(kubernetes: Calls) -> None:
    def replaced_first(metadata: dict[str, Any]) -> bool:
        old, new = ({**NAMED, "spec": {"selector": {"matchLabels": {"a": value}}}} for value in "12")
        return kubernetes.diff(DEPLOYMENT, old, new | {"metadata": metadata}).deleteBeforeReplace

    assert replaced_first({"name": "it", "namespace": "kingdom"})
    assert not replaced_first({"name": "other", "namespace": "kingdom"})
    assert not replaced_first({"name": "it", "namespace": "other"})


@pytest.mark.parametrize(
    ("mutable", "replaces"), [(None, ["data"]), (True, []), ("true", []), ("false", ["data"])]
)
def test_content_of_config_maps_replaces_unless_it_is_mutable(mutable: Any, replaces: list[str]) -> None:
    calls = configured(enableConfigMapMutable=mutable)
    old, new = ({**NAMED, "data": {"a": value}} for value in "12")
    assert list(calls.diff(CONFIG_MAP, old, new).replaces) == replaces


def test_content_of_an_immutable_object_always_replaces() -> None:
    calls = configured(enableConfigMapMutable=True)
    old, new = ({**NAMED, "immutable": True, "data": {"a": value}} for value in "12")
    assert list(calls.diff(CONFIG_MAP, old, new).replaces) == ["data"]


KUBECONFIG = "clusters:\n- {name: a, cluster: {server: https://SERVER}}\n"


@pytest.mark.parametrize(
    ("old", "new", "replaces"),
    [
        ({"kubeconfig": KUBECONFIG}, {"kubeconfig": KUBECONFIG + "users: []\n"}, False),
        ({"kubeconfig": KUBECONFIG}, {"kubeconfig": KUBECONFIG.replace("SERVER", "OTHER")}, True),
        ({"kubeconfig": KUBECONFIG}, {"kubeconfig": "not: a kubeconfig"}, True),
        (
            {"kubeconfig": KUBECONFIG, "clusterIdentifier": "a"},
            {"kubeconfig": KUBECONFIG.replace("SERVER", "OTHER"), "clusterIdentifier": "a"},
            False,
        ),
        ({"clusterIdentifier": "a"}, {"clusterIdentifier": "b"}, True),
        ({"namespace": "a"}, {"namespace": "b"}, False),
    ],
)
def test_another_cluster_replaces_its_objects(
    kubernetes: Calls, old: dict[str, Any], new: dict[str, Any], replaces: bool
) -> None:
    request = provider_pb2.DiffRequest(old_inputs=encode(old), news=encode(new))
    assert bool(kubernetes.stub.DiffConfig(request).replaces) == replaces


@pytest.mark.parametrize(
    ("kubeconfig", "failures"),
    [("~/.kube/config", []), (KUBECONFIG, []), ("a:\n  b", ["kubeconfig"]), ("{", ["kubeconfig"])],
)
def test_kubeconfig_is_a_path_or_has_clusters(
    kubernetes: Calls, kubeconfig: str, failures: list[str]
) -> None:
    request = provider_pb2.CheckRequest(news=encode({"kubeconfig": kubeconfig}))
    assert [failure.property for failure in kubernetes.stub.CheckConfig(request).failures] == failures


# -- outputs -------------------------------------------------------------------------------------------


def test_object_is_known_in_a_preview_and_its_status_is_not(kubernetes: Calls) -> None:
    inputs = {**NAMED, "spec": {"replicas": 2}}
    outputs = kubernetes.create(DEPLOYMENT, inputs, preview=True).outputs
    assert outputs["status"] is UNKNOWN
    assert outputs["metadata"] == NAMED["metadata"]
    assert (outputs["apiVersion"], outputs["kind"]) == ("apps/v1", "Deployment")


def test_created_object_has_the_values_of_the_api_server(kubernetes: Calls) -> None:
    outputs = kubernetes.create(DEPLOYMENT, {**NAMED, "spec": {"replicas": 2}}).outputs
    assert outputs["status"]["readyReplicas"] == 2
    assert {"uid", "resourceVersion", "creationTimestamp"} <= outputs["metadata"].keys()


def test_secret_metadata_stays_secret(kubernetes: Calls) -> None:
    outputs = kubernetes.create(CONFIG_MAP, {"metadata": Secret({"name": "it"})}).outputs
    assert isinstance(outputs["metadata"], Secret)
    assert outputs["metadata"].element["uid"]


def test_service_has_an_address_unless_it_is_headless(kubernetes: Calls) -> None:
    service = urn("kubernetes:core/v1:Service")
    spec = kubernetes.create(service, {**NAMED, "spec": {"ports": []}}).outputs["spec"]
    assert spec["type"] == "ClusterIP"
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    headless = kubernetes.create(service, {**NAMED, "spec": {"clusterIP": "None"}})
    assert headless.outputs["spec"]["clusterIP"] == "None"


def test_import_finds_the_object_by_its_id(kubernetes: Calls) -> None:
    response = kubernetes.read(DEPLOYMENT, "kingdom/it", {}, {})
    inputs = decode(response.inputs)
    assert inputs["metadata"] == NAMED["metadata"]
    assert decode(response.properties)["spec"] == {}
    assert decode(kubernetes.read(NAMESPACE, "it", {}, {}).inputs)["metadata"] == {"name": "it"}
