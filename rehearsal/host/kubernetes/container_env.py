"""Environment variables of a container, as the kubelet sets them, adapted to a single machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.host.component import base_environment
from rehearsal.host.desired_state import DesiredStore
from rehearsal.host.kubernetes.quantities import quantity
from rehearsal.host.kubernetes.references import MissingError, config_map, secret
from rehearsal.host.kubernetes.volumes import rewritten
from rehearsal.host.processes.ports import LOOPBACK

_REFERENCE = re.compile(r"\$(\$|\(([A-Za-z_.-][A-Za-z0-9_.-]*)\))")


@dataclass(frozen=True)
class Identity:
    """Names of a pod, for the downward API."""

    name: str
    namespace: str
    uid: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    service_account: str


def environment(
    container: Mapping[str, Any],
    identity: Identity,
    store: DesiredStore,
    ports: Mapping[int, int],
    mounts: Mapping[str, str],
    bundle: str,
) -> dict[str, str]:
    """Return all variables of `container`. `ports` maps container ports to local ports.

    Raises MissingError if a variable refers to an absent object.
    """
    declared: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        declared |= _from_source(source, identity.namespace, store)
    for variable in container.get("env") or []:
        value = _value(variable, container, identity, store)
        if value is not None:
            declared[variable["name"]] = expanded(value, declared)
    # All pods share the loopback interface, each with its own port.
    if declared.get("PORT", "").isdecimal():
        declared["PORT"] = str(ports.get(int(declared["PORT"]), declared["PORT"]))
    elif ports:
        declared["PORT"] = str(next(iter(ports.values())))
    declared["HOST"] = LOOPBACK
    trust = {"SSL_CERT_FILE": bundle, "REQUESTS_CA_BUNDLE": bundle, "HOSTNAME": identity.name}
    if "/tmp" in mounts:  # noqa: S108 (the container's, not this machine's)
        trust["TMPDIR"] = mounts["/tmp"]  # noqa: S108
    # Mount paths are rewritten only in declared values: this machine's PATH may contain a mount path such as
    # /tmp.
    own = {name: rewritten(value, mounts) for name, value in declared.items()}
    return {**base_environment(), **trust, **own}


def _from_source(source: Mapping[str, Any], namespace: str, store: DesiredStore) -> dict[str, str]:
    reference = source.get("configMapRef") or source.get("secretRef") or {}
    read = config_map if source.get("configMapRef") else secret
    try:
        data = read(store, namespace, reference.get("name", ""))
    except MissingError:
        if reference.get("optional"):
            return {}
        raise
    prefix = source.get("prefix") or ""
    return {f"{prefix}{key}": value.decode() for key, value in data.items()}


def _value(
    variable: Mapping[str, Any], container: Mapping[str, Any], identity: Identity, store: DesiredStore
) -> str | None:
    source = variable.get("valueFrom")
    if not source:
        return str(variable.get("value") or "")
    if "fieldRef" in source:
        return _field(source["fieldRef"]["fieldPath"], identity)
    if "resourceFieldRef" in source:
        return _resource(source["resourceFieldRef"], container)
    reference = source.get("configMapKeyRef") or source.get("secretKeyRef") or {}
    read = config_map if source.get("configMapKeyRef") else secret
    try:
        data = read(store, identity.namespace, reference.get("name", ""))
        if reference["key"] not in data:
            raise MissingError(f"key {reference['key']!r} is not in {reference.get('name')}")
    except MissingError:
        if reference.get("optional"):
            return None
        raise
    return data[reference["key"]].decode()


def _field(path: str, identity: Identity) -> str:
    known = {
        "metadata.name": identity.name,
        "metadata.namespace": identity.namespace,
        "metadata.uid": identity.uid,
        "spec.nodeName": "localhost",
        "spec.serviceAccountName": identity.service_account,
        "status.podIP": LOOPBACK,
        "status.podIPs": LOOPBACK,
        "status.hostIP": LOOPBACK,
    }
    for prefix, values in (
        ("metadata.labels", identity.labels),
        ("metadata.annotations", identity.annotations),
    ):
        if path.startswith(f"{prefix}['") and path.endswith("']"):
            return str(values.get(path[len(prefix) + 2 : -2], ""))
    if path not in known:
        raise MissingError(f"the downward API has no field {path!r}")
    return known[path]


def _resource(reference: Mapping[str, Any], container: Mapping[str, Any]) -> str:
    """Return a value such as `limits.memory`, rounded up to the divisor as the kubelet does."""
    group, _, name = reference["resource"].partition(".")
    declared = ((container.get("resources") or {}).get(group) or {}).get(name)
    if declared is None:
        raise MissingError(f"container {container['name']} declares no {reference['resource']}")
    divisor = quantity(reference.get("divisor") or 1) or quantity(1)
    # `//` of decimals truncates, also negative ones.
    units, rest = divmod(quantity(declared), divisor)
    return str(int(units) + (rest > 0))


def expanded(value: str, variables: Mapping[str, str]) -> str:
    """Expand `$(NAME)` with previously defined variables; `$$` is a dollar sign.

    Unknown names are unchanged.
    """

    def replace(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return variables.get(match[2], match[0])

    return _REFERENCE.sub(replace, value)
