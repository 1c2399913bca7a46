"""Consistency: numbers that are configured in two places must agree."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final

from pulumi_policy import Severity

from policies.model.pods import POD_TYPES, PodTemplate, pod_templates, running_containers, title
from policies.model.property_tree import Finding, Node, all_known
from policies.model.scale_targets import Scaling, key_of
from policies.model.stack import Object, Resource, Stack
from policies.pack.rule import Settings, rule

CONCERN: Final = "consistency"
_DRAIN: Final = ("KINGDOM_DRAIN_SECONDS", "DRAIN_SECONDS")
_CHECK: Final = ("KINGDOM_DEPENDENCY_SECONDS", "DEPENDENCY_CHECK_SECONDS")
# ``sleep`` of GNU and BusyBox: one or several numbers, each with a unit.
_SLEEP: Final = re.compile(
    r"(?<![\w-])(?P<before>(?:echo|printf)\s[^;&|]{0,200}|timeout\s+(?P<limit>[0-9]{1,9}[smhd]?)\s+(?:/\S{0,200}/)?)?"
    r"(?<![\w-])sleep(?P<times>(?:\s+(?:[0-9]{0,15}\.?[0-9]{1,15}[smhd]?|infinity|inf)\b)+)"
)
# ``sleep`` of other languages: ``time.sleep(5)`` and PowerShell's.
_SLEEP_CALL: Final = re.compile(r"\bsleep\(\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*\)")
_START_SLEEP: Final = re.compile(
    r"\bstart-sleep\s+(?:-s(?:econds)?\s+)?([0-9]{1,9})|\bstart-sleep\s+-m(?:illiseconds)?\s+([0-9]{1,12})",
    re.IGNORECASE,
)
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PERIOD: Final = 10  # Kubernetes' default for a probe's periodSeconds
_FAILURES: Final = 3


def _behind(stack: Stack, scaling: Scaling, policy: Object) -> Iterator[tuple[Object, PodTemplate]]:
    """Yield the workloads behind the Service that a policy targets."""
    for target in (policy.node.at("spec", "targetRef"), *policy.node.at("spec", "targetRefs").items()):
        service = scaling.objects.get((policy.namespace, "Service", target["name"].text()))
        if service is not None:
            selector = service.node.at("spec", "selector")
            labels = selector.raw if isinstance(selector.raw, dict) else None
            wanted = Node(
                {"matchLabels": labels} if labels else None, selector.path, selector.unevaluated, selector.urn
            )
            if selector.known():
                yield from scaling.selected_by(wanted, policy.namespace)


def _port(pod: PodTemplate, port: Node) -> int | None:
    """Return the number of a probe's port; named ports are resolved in their pod."""
    if isinstance(port.raw, (int, float)):
        return int(port.raw)
    for container in pod.containers("containers", "initContainers"):
        for item in container["ports"].items():
            if item["name"].text() == port.text() != "":
                return item["containerPort"].integer() if item["containerPort"].known() else None
    return None


@rule(
    "health-check-is-readiness",
    "The load balancer's health check must match the readiness probe. "
    "The two disagree about which pods are ready otherwise.",
    concern=CONCERN,
    scope="stack",
    remediation="Give the HealthCheckPolicy the path and port of the pods' readinessProbe.",
    severity=Severity.HIGH,
    tags=("SOC2:A1.1", "LBA2"),
    url="https://cloud.google.com/kubernetes-engine/docs/how-to/configure-gateway-resources#configure_health_check",
)
def health_check_is_readiness(stack: Stack, _: Settings) -> Iterator[Finding]:
    scaling = Scaling.of(stack)
    for policy in stack.of_kind("HealthCheckPolicy"):
        config = policy.node.at("spec", "default", "config")
        if not config.known():
            continue
        check = next((node for key, node in config.entries() if key.endswith("HealthCheck")), Node({}))
        kind = (config["type"].text() or str(check.path[-1] if check.path else "")).upper()
        handler = "grpc" if kind.startswith("GRPC") else "httpGet" if kind.startswith("HTTP") else "tcpSocket"
        for item, pod in _behind(stack, scaling, policy):
            if pod.spec["containers"].known():
                yield from _disagreements(policy, check, handler, item, pod)


_HANDLERS: Final = {"httpGet": "an HTTP", "grpc": "a gRPC", "tcpSocket": "a TCP"}


def _disagreements(
    policy: Object, check: Node, handler: str, item: Object, pod: PodTemplate
) -> Iterator[Finding]:
    """Yield the differences between a health check and the readiness probes of a pod."""
    declared = [found["readinessProbe"] for found in running_containers(pod)]
    declared = [probe for probe in declared if probe.present]
    probes = [probe[handler] for probe in declared if probe[handler].present]
    place = policy.node.at("spec", "default")
    if not probes:
        if any(probe["exec"].present for probe in declared):
            place.mark_unevaluated(f"cannot be compared: the readiness probe of {item.label} is a command")
        else:
            yield place.finding(f"{item.label} has no readiness probe that is {_HANDLERS[handler]} request")
        return
    port = check["port"]
    # Of several probes, the one on the same port is compared.
    same = [found for found in probes if port.present and _port(pod, found["port"]) == port.integer()]
    probe = (same or probes)[0]
    path, wanted = check["requestPath"], probe["path"]
    if handler == "httpGet" and path.known() and wanted.known() and (path.raw or "/") != (wanted.raw or "/"):
        yield path.finding(
            f"requests {path.raw or '/'}, the readiness probe of {item.label} requests {wanted.raw or '/'}"
        )
    service = probe["service"]
    if handler == "grpc" and check["grpcServiceName"].known() and service.known():
        name = check["grpcServiceName"].raw or ""
        if name != (service.raw or ""):
            yield check["grpcServiceName"].finding(
                f"checks the service {name!r}, the readiness probe of {item.label} {service.raw or ''!r}"
            )
    number = _port(pod, probe["port"])
    if port.present and port.known() and number is not None and port.integer() != number:
        yield port.finding(
            f"uses port {port.integer()}, the readiness probe of {item.label} uses port {number}"
        )


@rule(
    "routed-service-has-health-check",
    "Every Service routed by a GKE Gateway must have a HealthCheckPolicy. "
    "The default check requests `/`, which the service may not serve.",
    concern=CONCERN,
    scope="stack",
    remediation="Declare a HealthCheckPolicy that targets the Service, in its namespace.",
    severity=Severity.HIGH,
    tags=("SOC2:A1.1", "LBA2"),
    platform_specific=True,
)
def routed_service_has_health_check(stack: Stack, _: Settings) -> Iterator[Finding]:
    classes = [item.node.at("spec", "gatewayClassName").text() for item in stack.of_kind("Gateway")]
    if not any(name.startswith("gke-l7") for name in classes):
        return
    checked = set()
    for policy in stack.of_kind("HealthCheckPolicy"):
        if not policy.identified:
            return  # it may be the policy that is missing
        for target in (policy.node.at("spec", "targetRef"), *policy.node.at("spec", "targetRefs").items()):
            if not target["name"].known():
                return
            checked.add((policy.namespace, target["name"].text()))
    for route in stack.of_kind("HTTPRoute", "GRPCRoute"):
        if not route.identified:
            continue
        for entry in route.node.at("spec", "rules").items():
            for backend in entry["backendRefs"].items():
                name, place = backend["name"], backend["namespace"]
                if not (name.text() and place.known() and backend["kind"].is_one_of(None, "Service")):
                    continue
                if (place.text() or route.namespace, name.text()) not in checked:
                    yield name.finding(f"no HealthCheckPolicy targets Service {name.raw!r}")


def _configured(scaling: Scaling, item: Object, container: Node, names: tuple[str, ...]) -> Node | None:
    """Return a variable of a container, from its env or its ConfigMaps; None if it has none."""
    for variable in container["env"].items():
        if variable["name"].is_one_of(*names) and variable["value"].present:
            return variable["value"]
    for source in container["envFrom"].items():
        config = scaling.objects.get((item.namespace, "ConfigMap", source.at("configMapRef", "name").text()))
        for name in names:
            if config is not None and config.node.at("data", name).present:
                return config.node.at("data", name)
    return None


def _seconds(node: Node | None) -> float | None:
    if node is None or not node.known():
        return None
    seconds = node.number(math.nan)
    return None if math.isnan(seconds) else seconds


def _paused(hook: Node) -> float:
    """Return the seconds that a preStop hook waits, as an action or in the commands that it runs."""
    command = " ".join(part.text() for part in hook.at("exec", "command").items())
    return hook.at("sleep", "seconds").number() + slept(command[:_MAX_COMMAND])


_MAX_COMMAND: Final = 20_000


def slept(command: str) -> float:
    """Return the total seconds of the ``sleep`` commands in a shell line: ``sleep 1m 30s`` is 90."""
    seconds = 0.0
    for found in _SLEEP.finditer(command):
        if found["before"] and not found["limit"]:
            continue  # printed, not run
        asleep = sum(map(_duration, found["times"].split()))
        seconds += min(asleep, _duration(found["limit"])) if found["limit"] else asleep
    seconds += sum(float(found[1]) for found in _SLEEP_CALL.finditer(command))
    for found in _START_SLEEP.finditer(command):
        seconds += float(found[1]) if found[1] else float(found[2]) / 1000
    return seconds


def _duration(text: str) -> float:
    """Return the seconds of ``30``, ``2m`` or ``infinity``."""
    if text.startswith("inf"):
        return math.inf
    unit = _UNITS.get(text[-1])
    return float(text if unit is None else text[:-1]) * (unit or 1)


@rule(
    "termination-grace-period",
    "The drain must outlast deregistration from the load balancer, and drain plus request timeout "
    "must fit terminationGracePeriodSeconds. "
    "A rollout drops requests otherwise.",
    concern=CONCERN,
    scope="stack",
    remediation=(
        "Keep drain >= check interval x failures, and grace period >= drain + the balancer's time-out."
    ),
    severity=Severity.HIGH,
    tags=("SOC2:A1.1", "LBA3"),
    url="https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination",
)
def termination_grace_period(stack: Stack, _: Settings) -> Iterator[Finding]:
    scaling = Scaling.of(stack)
    # Drain and grace period; no entry if one of their values is unknown.
    drains: dict[tuple[str, str, str], tuple[float, float]] = {}
    for workloads in scaling.workloads.values():
        for item, pod in workloads:
            grace = pod.spec["terminationGracePeriodSeconds"]
            drain = 0.0
            with item.node.track_unknowns() as unknown:
                for container in running_containers(pod):
                    found = _seconds(_configured(scaling, item, container, _DRAIN))
                    paused = _paused(container.at("lifecycle", "preStop"))
                    drain = max(drain, (found or 0.0) + paused)
                patience = grace.number(30)
            if grace.known() and drain and patience <= drain:
                shorter = "shorter" if patience < drain else "not longer"
                yield grace.finding(f"grace period {patience:g} s is {shorter} than the drain ({drain:g} s)")
            if not unknown:
                drains[key_of(item)] = drain, patience
    for policy in stack.of_kind("HealthCheckPolicy"):
        spec = policy.node.at("spec", "default")
        noticed = spec["checkIntervalSec"].number(5) * spec["unhealthyThreshold"].number(2)
        for item, _pod in _behind(stack, scaling, policy):
            drain, _grace = drains.get(key_of(item), (math.inf, math.inf))
            known = spec["checkIntervalSec"].known() and spec["unhealthyThreshold"].known()
            if known and drain < noticed:
                yield spec.finding(
                    f"{item.label} drains for {drain:g} s, but deregistration takes up to {noticed:g} s"
                )
    for policy in stack.of_kind("GCPBackendPolicy"):
        spec = policy.node.at("spec", "default")
        timeout = spec["timeoutSec"].number(30)
        for item, _pod in _behind(stack, scaling, policy):
            drain, grace = drains.get(key_of(item), (0, math.inf))
            if spec["timeoutSec"].known() and drain + timeout > grace:
                yield spec["timeoutSec"].finding(
                    f"{item.label} is killed after {grace:g} s, "
                    f"but drain ({drain:g} s) and a request ({timeout:g} s) take longer"
                )


@rule(
    "probe-timeout-exceeds-checks",
    "Readiness probes and health checks must time out later than the service's own dependency checks. "
    "Otherwise one hung dependency takes every replica out of service.",
    concern=CONCERN,
    scope="stack",
    remediation="Keep KINGDOM_DEPENDENCY_SECONDS < timeoutSeconds of the readinessProbe and timeoutSec of "
    "the HealthCheckPolicy, and timeoutSec <= checkIntervalSec.",
    severity=Severity.HIGH,
    tags=("SOC2:A1.1", "KUB7", "LBA2"),
    url="https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/",
)
def probe_timeout_exceeds_checks(stack: Stack, _: Settings) -> Iterator[Finding]:
    scaling = Scaling.of(stack)
    checks: dict[tuple[str, str, str], float] = {}
    for workloads in scaling.workloads.values():
        for item, pod in workloads:
            for container in pod.containers("containers"):
                bound = _seconds(_configured(scaling, item, container, _CHECK))
                probe = container["readinessProbe"]
                if bound is None or not probe.present:
                    continue
                checks[key_of(item)] = max(bound, checks.get(key_of(item), 0.0))
                timeout = probe["timeoutSeconds"]
                if timeout.known() and timeout.number(1) <= bound:
                    yield timeout.finding(
                        f"{title(container)}: the readiness probe times out after {timeout.number(1):g} s, "
                        f"a dependency check after {bound:g} s"
                    )
    for policy in stack.of_kind("HealthCheckPolicy"):
        spec = policy.node.at("spec", "default")
        timeout, interval = spec["timeoutSec"], spec["checkIntervalSec"]
        if not (timeout.known() and interval.known()):
            continue
        # Google's default of both is 5 s.
        if timeout.number(5) > interval.number(5):
            yield timeout.finding(
                f"the health check times out after {timeout.number(5):g} s, "
                f"the next one starts after {interval.number(5):g} s"
            )
        for item, _pod in _behind(stack, scaling, policy):
            bound = checks.get(key_of(item), 0.0)
            if timeout.number(5) <= bound:
                yield timeout.finding(
                    f"the health check times out after {timeout.number(5):g} s, "
                    f"a dependency check of {item.label} after {bound:g} s"
                )


@rule(
    "probes-add-up",
    "Probes must name a port of their container, and liveness must not fail before readiness. "
    "A pod that works is restarted otherwise.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation=(
        "Use the name of a port of the same container; keep periodSeconds x failureThreshold of liveness at "
        "least at that of readiness."
    ),
    severity=Severity.MEDIUM,
    tags=("SOC2:A1.1", "KUB7"),
)
def probes_add_up(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for container in running_containers(pod):
            yield from _unnamed_ports(container)
            liveness, readiness = container["livenessProbe"], container["readinessProbe"]
            if liveness.present and readiness.present and _patience(liveness) < _patience(readiness):
                yield liveness.finding(
                    f"{title(container)}: liveness fails after {_patience(liveness):g} s, before readiness "
                    f"does after {_patience(readiness):g} s"
                )


def _unnamed_ports(container: Node) -> Iterator[Finding]:
    """Yield named ports of handlers that their container does not declare (``ResolveContainerPort``).

    The kubelet reads a text of digits as a number.
    """
    handlers = [container[probe] for probe in ("livenessProbe", "readinessProbe", "startupProbe")]
    handlers += [container.at("lifecycle", hook) for hook in ("postStart", "preStop")]
    for handler in handlers:
        for kind in ("httpGet", "tcpSocket"):
            port = handler.at(kind, "port")
            name = port.text()
            if not name or name.isdecimal() or not container["ports"].known():
                continue
            declared = [item["name"] for item in container["ports"].items()]
            if all_known(declared) and name not in [item.raw for item in declared]:
                yield port.finding(
                    f"{title(container)} has no port named {name!r}, so the check always fails"
                )


def _patience(probe: Node) -> float:
    """Return the seconds from the first failure until a probe has failed; zero stands for the default."""
    period = probe["periodSeconds"].number(_PERIOD) or _PERIOD
    return period * (probe["failureThreshold"].number(_FAILURES) or _FAILURES)


# Warning and critical thresholds by requirement: shares in percent, response time in seconds.
_THRESHOLDS: Final[dict[str, tuple[float, float]]] = {
    "ALR1": (80, 90),
    "ALR2": (80, 95),
    "ALR3": (1, 3),
    "ALR4": (5, 10),
    "ALR5": (80, 95),
}


def _requirement(resource: Resource) -> tuple[str, str]:
    """Return which of ALR1 to ALR5 an alert policy implements and its severity, from its labels or names."""
    labels = resource.node["userLabels"]
    found, severity = "", labels["severity"].text().lower() or resource.node["severity"].text().lower()
    texts = [value.text() for _, value in labels.entries()] + [
        resource.node["displayName"].text(),
        resource.name,
    ]
    for text in texts:
        for name in _THRESHOLDS:
            if name.lower() in text.lower():
                found = found or name
        for level in ("warning", "critical"):
            if level in text.lower():
                severity = severity or level
    return found, "critical" if severity in (
        "critical",
        "error",
    ) else "warning" if severity == "warning" else ""


@rule(
    "alert-thresholds",
    "Alert policies must use the agreed thresholds (ALR1 to ALR5). "
    "On-call engineers are notified too late or too often otherwise.",
    concern=CONCERN,
    scope="stack",
    remediation="Use the warning and critical thresholds of the requirement that the alert names.",
    severity=Severity.MEDIUM,
    tags=("SOC2:CC7.2", "ALR1", "ALR2", "ALR3", "ALR4", "ALR5"),
)
def alert_thresholds(stack: Stack, _: Settings) -> Iterator[Finding]:
    seen: set[tuple[str, str]] = set()
    policies = stack.of_type("gcp:monitoring/alertPolicy:AlertPolicy")
    doubtful = False  # whether a missing alert may exist, because labels are unknown
    for resource in policies:
        with resource.node.track_unknowns() as unknown:
            name, severity = _requirement(resource)
        if not name or not severity:
            doubtful = doubtful or bool(unknown)
            continue
        if resource.node["enabled"].is_one_of(False):
            yield resource.node["enabled"].finding(f"{name} ({severity}) is switched off")
        seen.add((name, severity))
        wanted = _THRESHOLDS[name][severity == "critical"]
        for condition in resource.node["conditions"].items():
            value, threshold = _threshold(condition)
            if condition.at("conditionThreshold", "comparison").is_one_of("COMPARISON_LT", "COMPARISON_LE"):
                yield condition.at("conditionThreshold", "comparison").finding(
                    f"{name}: comparison must be greater-than"
                )
            elif value.text().strip() and _BELOW.search(value.text()):
                yield value.finding(f"{name}: comparison must be greater-than")
            if threshold is not None and not _same(threshold, wanted, name):
                yield value.finding(f"{threshold:g} is not the {wanted:g} of {name} ({severity})")
    for resource in stack.of_type("mongodbatlas:index/alertConfiguration:AlertConfiguration"):
        metric = resource.node["metricThresholdConfig"]
        if not metric["metricName"].is_one_of("CONNECTIONS_PERCENT"):
            continue
        value = metric["threshold"]
        if value.known() and not any(_same(value.number(), wanted, "ALR5") for wanted in _THRESHOLDS["ALR5"]):
            yield value.finding(f"{value.shown} is neither threshold of ALR5 (80, 95)")
        seen.update(
            ("ALR5", level)
            for level, wanted in zip(("warning", "critical"), _THRESHOLDS["ALR5"], strict=True)
            if _same(value.number(), wanted, "ALR5")
        )
    # Required of platforms that run workloads; a few manifests or a bucket alone need no such alerts.
    watched = stack.of_type("gcp:container/cluster:Cluster") or (policies if seen else [])
    missing = [
        f"{name} {level}"
        for name in _THRESHOLDS
        for level in ("warning", "critical")
        if (name, level) not in seen
    ]
    if watched and missing and not doubtful:
        yield watched[0].node.finding(f"no alert for {', '.join(missing)}")


# The threshold of a PromQL condition: the number that its outermost comparison uses.
_BELOW: Final = re.compile(r"<=?\s*(?:bool\s+)?\d+(?:\.\d+)?\s*$")
_COMPARED: Final = re.compile(r"[<>]=?\s*(?:bool\s+)?(\d+(?:\.\d+)?)\s*$")


def _threshold(condition: Node) -> tuple[Node, float | None]:
    """Return the threshold of a condition and its path; None, and noted, if it cannot be read."""
    value = condition.at("conditionThreshold", "thresholdValue")
    if value.present:
        return value, value.number() if value.known() else None
    query = condition.at("conditionPrometheusQueryLanguage", "query")
    found = _COMPARED.search(query.text())
    if query.known() and found is None:
        condition.mark_unevaluated("is of a kind whose threshold cannot be read")
    return query, float(found.group(1)) if found else None


def _same(value: Any, wanted: float, name: str) -> bool:
    """Whether a threshold equals the wanted one: in percent or as a fraction, in seconds or milliseconds."""
    factors = (1, 1000) if name == "ALR3" else (1, 0.01)
    return any(abs(float(value) - wanted * factor) < 1e-9 for factor in factors)
