"""Every resource whose SDK type has labels carries the environment's labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.providers.schema import resource_type
from rehearsal.pulumi.properties import unwrap
from tests.infra.audits.finding import Finding, is_of_a_cloud, title
from tests.infra.audits.paths import ABSENT, values

# Names of properties for labels; the first one that a type has is checked.
NAMES: Final = ("resourceLabels", "userLabels", "labels", "tags")
# Types whose property of such a name has another use.
OTHERWISE: Final[Mapping[str, str]] = {
    "cloudflare:index/dnsRecord:DnsRecord": "words for searching in the console, of plans that are paid for",
    "mongodbatlas:index/advancedCluster:AdvancedCluster": "tags; its labels are deprecated in their favor",
}
PREFERRED: Final = {"mongodbatlas:index/advancedCluster:AdvancedCluster": "tags"}
# Labels of the objects that a resource creates.
WITHIN: Final[Mapping[str, str]] = {
    "gcp:container/nodePool:NodePool": "nodeConfig.resourceLabels",
    "kubernetes:apps/v1:Deployment": "spec.template.metadata.labels",
    "kubernetes:batch/v1:CronJob": "spec.jobTemplate.spec.template.metadata.labels",
    "kubernetes:batch/v1:Job": "spec.template.metadata.labels",
}


def unlabelled(resources: Sequence[ResourceState], labels: Mapping[str, str]) -> Iterator[Finding]:
    """Yield resources that could carry the environment's labels and do not."""
    for resource in filter(is_of_a_cloud, resources):
        inputs = unwrap(resource.inputs)
        for path in places(resource.type):
            (found,) = values(inputs, path)
            missing = labels.items() - _pairs(found).items()
            if missing:
                lacking = ", ".join(sorted(f"{key}={value}" for key, value in missing))
                yield Finding("labels", title(resource), f"{path} lacks {lacking}")


def places(type_: str) -> Iterator[str]:
    """Yield the property of a type that takes labels."""
    if type_.startswith("kubernetes:"):
        yield "metadata.labels"
    elif type_ in PREFERRED:
        yield PREFERRED[type_]
    elif type_ not in OTHERWISE:
        known = resource_type(type_)
        assert known is not None, f"the SDK has no {type_}"
        # A Google type with `labels` may also have `tags`, which bind policies and are not labels.
        yield from [name for name in NAMES if name in known.inputs.fields][:1]
    if type_ in WITHIN:
        yield WITHIN[type_]


def _pairs(found: Any) -> dict[str, Any]:
    if isinstance(found, list):  # users of Atlas have labels as key-value pairs
        return {item["key"]: item["value"] for item in found}
    return {} if found is ABSENT or found is None else dict(found)
