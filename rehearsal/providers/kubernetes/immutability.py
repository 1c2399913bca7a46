"""Updates that the API server refuses because a field is immutable and pulumi-kubernetes does not replace.

The provider replaces an object only for the fields of its own list (`provider/pkg/provider/diff.go`, see
``kinds.FIXED``); for other immutable fields its dry run returns the server's error. Sources: the functions
`Validate…Update` of ``pkg/apis/*/validation`` in Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from policies.api import parse_quantity
from rehearsal.pulumi.properties import UNKNOWN, Path, format_path, unwrap

# By kind, the immutable fields for which the provider does not replace.
_IMMUTABLE: Final[Mapping[str, tuple[Path, ...]]] = {
    "CustomResourceDefinition": (("spec", "group"), ("spec", "scope"), ("spec", "names", "kind")),
    "EndpointSlice": (("addressType",),),
    "IngressClass": (("spec", "controller"),),
    "Job": (("spec", "completionMode"), ("spec", "podFailurePolicy"), ("spec", "managedBy")),
    "PersistentVolumeClaim": (("spec", "dataSource"), ("spec", "dataSourceRef"), ("spec", "volumeMode")),
    "PriorityClass": (("value",), ("preemptionPolicy",)),
    "ReplicaSet": (("spec", "selector"),),
    "RuntimeClass": (("handler",),),
    "Service": (("spec", "loadBalancerClass"),),
    "StorageClass": (("reclaimPolicy",), ("volumeBindingMode",)),
}
# Defaults of the API server: an absent field has this value.
_DEFAULTS: Final[Mapping[tuple[str, Path], Any]] = {
    ("Job", ("spec", "completionMode")): "NonIndexed",
    ("PersistentVolumeClaim", ("spec", "volumeMode")): "Filesystem",
    ("PriorityClass", ("preemptionPolicy",)): "PreemptLowerPriority",
    ("StorageClass", ("reclaimPolicy",)): "Delete",
    ("StorageClass", ("volumeBindingMode",)): "Immediate",
}


def refused_changes(kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Yield the API server's error for each immutable field that differs between two objects of `kind`."""
    before, after = unwrap(dict(old)), unwrap(dict(new))
    for path in _IMMUTABLE.get(kind, ()):
        default = _DEFAULTS.get((kind, path))
        first, last = _at(before, path, default), _at(after, path, default)
        if UNKNOWN not in (first, last) and first != last:
            yield f"{format_path(path)}: field is immutable; delete the object first, or give it another name"
    if (
        kind in ("ConfigMap", "Secret")
        and before.get("immutable") is True
        and after.get("immutable") is not True
    ):
        yield "immutable: field is immutable when `immutable` is set; give the object another name"
    if kind == "PersistentVolumeClaim":
        yield from _smaller_claim(before, after)


def _smaller_claim(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    path = ("spec", "resources", "requests", "storage")
    first, last = _amount(_at(before, path)), _amount(_at(after, path))
    if first is not None and last is not None and last < first:
        yield f"{format_path(path)}: can not be less than the previous value; a volume does not shrink"


def _amount(value: Any) -> Any:
    return parse_quantity(value) if isinstance(value, (str, int, float)) and value is not UNKNOWN else None


def _at(value: Any, path: Path, default: Any = None) -> Any:
    for part in path:
        if value is UNKNOWN:
            return UNKNOWN
        value = value.get(part) if isinstance(value, Mapping) else None
    return default if value is None else value
