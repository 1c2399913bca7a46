"""Refusals of a provider's own code while it plans: rules over several attributes (`CustomizeDiff`).

Read in terraform-provider-google-beta, August 2026; each check names the function that it follows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN, Path, unwrap

Found = Iterator[tuple[Path, str]]


def refused_plans(token: str, inputs: Mapping[str, Any], provider: str) -> Iterator[Problem]:
    """Yield what a plan of a new resource with known `inputs` refuses."""
    check = _CHECKS.get(token)
    if check is not None:
        for path, reason in check(unwrap(dict(inputs))):
            yield problem(path, f"{reason} ({provider} refuses this plan)")


def _ssl_policy(inputs: Mapping[str, Any]) -> Found:
    """`sslPolicyCustomizeDiff`."""
    profile, features = inputs.get("profile", "COMPATIBLE"), inputs.get("customFeatures")
    if UNKNOWN in (profile, features):
        return
    if profile == "CUSTOM" and not features:
        yield ("customFeatures",), 'required where profile is "CUSTOM"'
    elif profile != "CUSTOM" and features:
        yield ("customFeatures",), f'may be set only where profile is "CUSTOM"; it is "{profile}"'


def _firewall(inputs: Mapping[str, Any]) -> Found:
    """`resourceComputeFirewallSourceFieldsCustomizeDiff`, `…EnableLoggingCustomizeDiff`."""
    names = ("sourceRanges", "sourceServiceAccounts", "sourceTags")
    if inputs.get("direction") not in ("EGRESS", UNKNOWN) and all(inputs.get(name) is None for name in names):
        yield ("sourceRanges",), f"one of {', '.join(names)} must be set for a rule of ingress"
    if inputs.get("enableLogging") is False and inputs.get("logConfig"):
        yield ("logConfig",), "must not be set where enableLogging is false"


def _security_policy(inputs: Mapping[str, Any]) -> Found:
    """`rulesCustomizeDiff`."""
    rules = inputs.get("rules")
    if not isinstance(rules, list):
        return
    priorities = [rule.get("priority") for rule in rules if isinstance(rule, Mapping)]
    for priority, number in Counter(map(str, priorities)).items():
        if number > 1 and priority not in ("None", str(UNKNOWN)):
            yield ("rules",), f"{number} rules have the priority {priority}; each needs its own"


def _health_check(inputs: Mapping[str, Any]) -> Found:
    """`validatePortSpec`."""
    for kind in (
        "httpHealthCheck",
        "httpsHealthCheck",
        "http2HealthCheck",
        "tcpHealthCheck",
        "sslHealthCheck",
    ):
        check = inputs.get(kind)
        if not isinstance(check, Mapping):
            continue
        spec, port, name = check.get("portSpecification"), check.get("port"), check.get("portName")
        if UNKNOWN in (spec, port, name):
            continue
        if spec == "USE_FIXED_PORT" and not port:
            yield (kind, "port"), "required where portSpecification is USE_FIXED_PORT"
        if spec == "USE_NAMED_PORT" and not name:
            yield (kind, "portName"), "required where portSpecification is USE_NAMED_PORT"
        if spec == "USE_SERVING_PORT" and (port or name):
            yield (kind, "port"), "must not be set where portSpecification is USE_SERVING_PORT"
        return


def _notification_channel(inputs: Mapping[str, Any]) -> Found:
    """`sensitiveLabelCustomizeDiff`."""
    labels, secrets = inputs.get("labels"), inputs.get("sensitiveLabels")
    if isinstance(labels, Mapping) and isinstance(secrets, Mapping):
        for name, label in (
            ("authToken", "auth_token"),
            ("password", "password"),
            ("serviceKey", "service_key"),
        ):
            if labels.get(label) and secrets.get(name):
                yield ("sensitiveLabels", name), f'set as the label "{label}" too; set only one of them'


def _instance_template(inputs: Mapping[str, Any]) -> Found:
    """`resourceComputeInstanceTemplateBootDiskCustomizeDiff`."""
    disks = inputs.get("disks")
    for number, disk in enumerate(disks if isinstance(disks, list) else ()):
        if number and isinstance(disk, Mapping) and disk.get("boot") is True:
            yield ("disks", number, "boot"), "only the first disk can be the boot disk"


def _router_nat(inputs: Mapping[str, Any]) -> Found:
    """`resourceComputeRouterNatDrainNatIpsCustomDiff`."""
    if inputs.get("drainNatIps") not in (None, UNKNOWN, []):
        yield ("drainNatIps",), "a new NAT has no addresses to drain; set it in a later update"


def _cluster(inputs: Mapping[str, Any]) -> Found:
    """`containerClusterSurgeSettings…`, `containerClusterNodeVersionRemoveDefaultCustomizeDiff`."""
    if inputs.get("removeDefaultNodePool") is True and inputs.get("nodeVersion") not in (None, UNKNOWN, ""):
        yield ("nodeVersion",), "must not be set where removeDefaultNodePool is true: it is about that pool"
    at: Any = inputs
    path = ("clusterAutoscaling", "autoProvisioningDefaults", "upgradeSettings")
    for step in path:
        at = at.get(step) if isinstance(at, Mapping) else None
    if isinstance(at, Mapping) and at.get("strategy") not in (None, UNKNOWN, "SURGE"):
        for name in ("maxSurge", "maxUnavailable"):
            if at.get(name):
                yield (*path, name), "may be set only where strategy is SURGE"


_CHECKS: Final[Mapping[str, Callable[[Mapping[str, Any]], Found]]] = {
    "gcp:compute/sSLPolicy:SSLPolicy": _ssl_policy,
    "gcp:compute/regionSslPolicy:RegionSslPolicy": _ssl_policy,
    "gcp:compute/firewall:Firewall": _firewall,
    "gcp:compute/securityPolicy:SecurityPolicy": _security_policy,
    "gcp:compute/healthCheck:HealthCheck": _health_check,
    "gcp:compute/regionHealthCheck:RegionHealthCheck": _health_check,
    "gcp:compute/instanceTemplate:InstanceTemplate": _instance_template,
    "gcp:compute/routerNat:RouterNat": _router_nat,
    "gcp:container/cluster:Cluster": _cluster,
    "gcp:monitoring/notificationChannel:NotificationChannel": _notification_channel,
}
