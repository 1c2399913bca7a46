"""Kubernetes: typed for the kinds the SDK declares, open for custom resources.

Sources: pulumi-kubernetes, `provider/pkg/provider/provider.go` (names, annotations, ids, configuration) and
`diff.go` (what forces a replacement); the naming rules are those of the Kubernetes documentation, "Object
Names and IDs" and "Labels and Selectors".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar, Final

import yaml
from pulumi.runtime.proto import provider_pb2

from rehearsal.providers import diff, fake_values
from rehearsal.providers.autonaming import Preference
from rehearsal.providers.base import Cloud, Function, name_of
from rehearsal.providers.kubernetes import validation
from rehearsal.providers.kubernetes.declared_types import declared_inputs
from rehearsal.providers.kubernetes.functions import FUNCTIONS
from rehearsal.providers.kubernetes.immutability import refused_changes
from rehearsal.providers.kubernetes.kinds import CLUSTER_SCOPED, CONTENT, FIXED, FIXED_ALWAYS
from rehearsal.providers.kubernetes.validation import kind_of
from rehearsal.providers.schema import resource_type
from rehearsal.providers.validation import Problem, Rules, problem
from rehearsal.pulumi.properties import UNKNOWN, Path, Secret, decode, unwrap

AUTONAMED: Final = "pulumi.com/autonamed"
RELEASE: Final = "kubernetes:helm.sh/v3:Release"


class Kubernetes(Cloud):
    package: ClassVar[str] = "kubernetes"
    rules: ClassVar[Rules] = validation.RULES
    functions: ClassVar[Mapping[str, Function]] = FUNCTIONS

    def type_problems(self, token: str, inputs: Mapping[str, Any]) -> Iterator[Problem]:
        if declared_inputs(token) is None and resource_type(token) is not None:  # a Patch or a Release
            yield from super().type_problems(token, inputs)
        else:
            yield from validation.type_problems(token, inputs)

    def problems(self, token: str, inputs: Mapping[str, Any]) -> Iterator[Problem]:
        version, kind = kind_of(token)
        custom, group = resource_type(token) is None, version.partition("/")[0]
        yield from validation.problems(inputs, kind, custom=custom, group=group)

    # Names and ids.

    def named(
        self,
        urn: str,
        token: str,
        inputs: dict[str, Any],
        olds: Mapping[str, Any],
        preferred: Preference | None,
    ) -> dict[str, Any]:
        if token == RELEASE:
            return self._named_release(urn, token, inputs, olds, preferred)
        metadata = inputs.get("metadata")
        if isinstance(metadata, Secret) or metadata is UNKNOWN:
            return inputs
        metadata = dict(metadata or {})
        if metadata.get("name") is None and metadata.get("generateName") is None:
            before = unwrap(olds.get("metadata")) or {}
            if _autonamed(before) and isinstance(before.get("name"), str):
                metadata["name"] = before["name"]
            elif preferred is not None:
                metadata["name"] = preferred.within(None)
            else:
                digits = fake_values.hexadecimal(8, self.seed(urn, token, inputs))
                metadata["name"] = f"{name_of(urn)}-{digits}"
            annotations = metadata.get("annotations")
            if annotations is not UNKNOWN:
                metadata["annotations"] = {**(unwrap(annotations) or {}), AUTONAMED: "true"}
        if metadata.get("namespace") is None and resource_type(token) and not _cluster_scoped(token):
            metadata["namespace"] = self.namespace
        return {**inputs, "metadata": metadata}

    def _named_release(
        self,
        urn: str,
        token: str,
        inputs: dict[str, Any],
        olds: Mapping[str, Any],
        preferred: Preference | None,
    ) -> dict[str, Any]:
        """Return the inputs of a Helm release with a name and a namespace, which are not in metadata."""
        named = {**inputs}
        if named.get("name") is None:
            generated = f"{name_of(urn)}-{fake_values.hexadecimal(8, self.seed(urn, token, inputs))}"
            named["name"] = olds.get("name") or (preferred.within(None) if preferred else generated)
        if named.get("namespace") is None:
            named["namespace"] = self.namespace
        return named

    def autonamed(self, inputs: Mapping[str, Any]) -> bool:
        return _autonamed(unwrap(inputs.get("metadata")))

    def same_name(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        before, after = _metadata(old), _metadata(new)
        return all(before.get(key) == after.get(key) for key in ("name", "namespace"))

    def identify(self, urn: str, token: str, inputs: Mapping[str, Any]) -> str:
        if token == RELEASE:
            return f"{inputs.get('namespace') or self.namespace}/{inputs.get('name') or name_of(urn)}"
        metadata = _metadata(inputs)
        name = metadata.get("name") or str(
            metadata.get("generateName") or name_of(urn)
        ) + fake_values.hexadecimal(5, urn)
        namespace = metadata.get("namespace")
        return f"{namespace}/{name}" if namespace and not _cluster_scoped(token) else str(name)

    # Diff.

    def fixed(self, token: str) -> frozenset[diff.Pattern]:
        version, kind = kind_of(token)
        found = FIXED_ALWAYS | FIXED.get((version.rpartition("/")[0], kind), frozenset())
        if (kind == "ConfigMap" and not self.mutable_config_maps) or (
            kind == "Secret" and not self.mutable_secrets
        ):
            found |= CONTENT
        return found

    def replaces(self, token: str, path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        # A change to the content of an immutable object replaces it, however the provider is configured.
        frozen = unwrap(old.get("immutable")) is True and kind_of(token)[1] in ("ConfigMap", "Secret")
        if frozen and diff.forces_replacement(path, old, new, CONTENT):
            return True
        return super().replaces(token, path, old, new)

    def refuse_update(self, token: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
        found = list(refused_changes(kind_of(token)[1], old, new)) if resource_type(token) else []
        return "; ".join(found) or None

    # Outputs.

    def outputs(
        self,
        token: str,
        id_: str,
        inputs: Mapping[str, Any],
        *,
        preview: bool = False,
    ) -> dict[str, Any]:
        if token == RELEASE:
            return _release(dict(inputs), preview=preview)
        group, kind = kind_of(token)
        outputs = {**inputs, "apiVersion": inputs.get("apiVersion", group), "kind": inputs.get("kind", kind)}
        declared = resource_type(token)
        if preview:
            # As in a server-side dry run: declared fields are known, values that the cluster assigns are not.
            if declared is not None and "status" in declared.outputs:
                outputs.setdefault("status", UNKNOWN)
            return self._marked(declared, outputs) if declared else outputs
        metadata = inputs.get("metadata")
        wrapped = isinstance(metadata, Secret)
        full = {**(unwrap(metadata) or {})} if not isinstance(metadata, Mapping) else dict(metadata)
        seed = f"{token}|{id_}"
        full.setdefault("name", id_.rsplit("/", 1)[-1])
        full |= {
            "uid": fake_values.uuid(seed, "uid"),
            "resourceVersion": fake_values.digits(6, seed, "version"),
            "creationTimestamp": fake_values.moment(seed, "created"),
            "generation": 1,
        }
        outputs["metadata"] = Secret(full) if wrapped else full
        status = validation.status(kind, seed, unwrap(dict(inputs)))
        if status is not None and (declared is None or "status" in declared.outputs):
            outputs["status"] = status
        if kind == "Service" and isinstance(spec := outputs.get("spec", {}), dict):
            address = fake_values.address("10.112.0.0/14", seed, "clusterIP")
            outputs["spec"] = {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address], **spec}
        return self._marked(declared, outputs) if declared else outputs

    def always_present(self, token: str) -> Collection[str]:
        declared = resource_type(token)
        return ("spec",) if declared is not None and "spec" in declared.outputs else ()

    def imported(self, token: str, id_: str, state: Mapping[str, Any]) -> dict[str, Any]:
        group, kind = kind_of(token)
        namespace, _, name = id_.rpartition("/")
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        return {"apiVersion": group, "kind": kind, "metadata": metadata} | dict(state)

    # Configuration.

    namespace: str = "default"
    mutable_config_maps: bool = False
    mutable_secrets: bool = False

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: Any = None
    ) -> provider_pb2.ConfigureResponse:
        response = super().Configure(request, context)
        values = unwrap(decode(request.args))
        self.namespace = values.get("namespace") or "default"
        self.mutable_config_maps = _is_true(values.get("enableConfigMapMutable"))
        self.mutable_secrets = _is_true(values.get("enableSecretMutable"))
        return response

    def config_problems(self, inputs: Mapping[str, Any]) -> Iterator[Problem]:
        yield from super().config_problems(inputs)
        kubeconfig = unwrap(inputs.get("kubeconfig"))
        if isinstance(kubeconfig, str) and ("\n" in kubeconfig or kubeconfig.lstrip().startswith("{")):
            try:
                content = yaml.safe_load(kubeconfig)
            except yaml.YAMLError:
                content = None
            if not isinstance(content, dict) or not content.get("clusters"):
                yield problem(("kubeconfig",), "is not a kubeconfig: expected YAML or JSON with `clusters`")

    def config_replaces(self, path: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        before, after = old.get("clusterIdentifier"), new.get("clusterIdentifier")
        if before is not None and after is not None:
            return path[0] == "clusterIdentifier"
        # Without an identifier, the address in the kubeconfig identifies the cluster. One that is not
        # known yet may be another one: the real provider plans a replacement as well.
        return path[0] in ("kubeconfig", "context", "cluster") and _servers(old) != _servers(new)


def _cluster_scoped(token: str) -> bool:
    return kind_of(token)[1] in CLUSTER_SCOPED


def _is_true(value: Any) -> bool:
    return value in (True, "true")


def _metadata(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = inputs.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def _autonamed(metadata: Any) -> bool:
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    return isinstance(annotations, Mapping) and annotations.get(AUTONAMED) == "true"


def _servers(config: Mapping[str, Any]) -> Any:
    kubeconfig = unwrap(config.get("kubeconfig"))
    if not isinstance(kubeconfig, str):
        return kubeconfig
    try:
        content = yaml.safe_load(kubeconfig)
        return sorted(str(cluster["cluster"]["server"]) for cluster in content["clusters"])
    except (yaml.YAMLError, KeyError, TypeError):
        return kubeconfig


def _release(inputs: dict[str, Any], *, preview: bool) -> dict[str, Any]:
    """Return the outputs of a Helm release. The objects of its chart are not rendered."""
    if preview:
        return {**inputs, "status": UNKNOWN, "resourceNames": UNKNOWN, "manifest": UNKNOWN}
    status = {
        "appVersion": str(inputs.get("version") or "1.0.0"),
        "chart": inputs.get("chart"),
        "name": inputs.get("name"),
        "namespace": inputs.get("namespace"),
        "revision": 1,
        "status": "deployed",
        "version": str(inputs.get("version") or "1.0.0"),
    }
    return {**inputs, "status": status, "resourceNames": {}, "manifest": {}}
