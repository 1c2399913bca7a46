"""Containers: the restricted Pod Security Standard, control by control, as of Kubernetes v1.37.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/ and, where the page is silent
(what an empty object means, which level wins), the checks of ``k8s.io/pod-security-admission``. The names
of the policies follow the controls of the page. Restricted includes baseline.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pulumi_policy import Severity

from policies.model.pods import POD_TYPES, PodTemplate, pod_templates, title
from policies.model.property_tree import Finding, Node
from policies.model.stack import Resource
from policies.pack.remediations import confined
from policies.pack.rule import Settings, rule

_PAGE: Final = "https://kubernetes.io/docs/concepts/security/pod-security-standards/"
_BASELINE: Final = ("PSS:baseline", "CIS-GKE:5.2", "SOC2:CC6.1")
_RESTRICTED: Final = ("PSS:restricted", "CIS-GKE:5.2", "SOC2:CC6.1")

_CAPABILITIES_ADDED: Final = frozenset({"NET_BIND_SERVICE"})
_SELINUX_TYPES: Final = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_SECCOMP_TYPES: Final = ("RuntimeDefault", "Localhost")
_APPARMOR_TYPES: Final = ("RuntimeDefault", "Localhost")
_APPARMOR_ANNOTATION: Final = "container.apparmor.security.beta.kubernetes.io/"
_VOLUMES: Final = frozenset(
    {
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim",
        "projected", "secret",
    }
)  # fmt: skip
# Namespaced, isolated from other pods and the node; the later ones came with v1.27, v1.29, v1.32, v1.37.
_SYSCTLS: Final = frozenset(
    {
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
        "net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_notsent_lowat",
    }
)  # fmt: skip


def drops_all(dropped: list[Node]) -> bool:
    """Whether "ALL", in capitals as the runtimes want it, is among the dropped capabilities."""
    return any(item.raw == "ALL" for item in dropped)


def _security(container: Node) -> Node:
    return container["securityContext"]


@rule(
    "pss-host-namespaces",
    "Pods stay out of the node's network, process and IPC namespaces, where they could watch all of it.",
    types=POD_TYPES,
    steps="Remove hostNetwork, hostPID and hostIPC, or set them to false.",
    severity=Severity.CRITICAL,
    tags=_BASELINE,
    url=_PAGE,
)
def host_namespaces(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.spec[key].unlike(None, False):
                yield pod.spec[key].finding("must not be set: it shares a namespace of the node")


@rule(
    "pss-privileged",
    "No container is privileged, which would switch off nearly every isolation between it and the node.",
    types=POD_TYPES,
    steps="Remove securityContext.privileged, or set it to false; grant the one capability needed.",
    severity=Severity.CRITICAL,
    tags=_BASELINE,
    url=_PAGE,
)
def privileged(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for container in pod.containers():
            flag = _security(container)["privileged"]
            if flag.unlike(None, False):
                yield flag.finding(f"{title(container)} must not be privileged")


@rule(
    "pss-windows-host-process",
    "No Windows container runs as a host process with the rights of the node.",
    types=POD_TYPES,
    steps="Remove securityContext.windowsOptions.hostProcess, or set it to false.",
    severity=Severity.CRITICAL,
    tags=_BASELINE,
    url=_PAGE,
)
def windows_host_process(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for context in _contexts(pod):
            flag = context.at("windowsOptions", "hostProcess")
            if flag.unlike(None, False):
                yield flag.finding("must not be true: host processes have the rights of the node")


@rule(
    "pss-capabilities",
    "Containers give up every Linux capability, so that a break-in finds none to use.",
    types=POD_TYPES,
    steps='Set securityContext.capabilities.drop to ["ALL"]; add back at most NET_BIND_SERVICE.',
    severity=Severity.HIGH,
    tags=_RESTRICTED,
    url=_PAGE,
)
def capabilities(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        if pod.on_windows:
            continue
        for container in pod.containers():
            drop = _security(container).at("capabilities", "drop")
            dropped = list(drop.items())
            # Only when every entry can be read is it certain that ALL is not among them.
            certain = drop.known() and (drops_all(dropped) or all(item.known() for item in dropped))
            if certain and not drops_all(dropped):
                yield drop.finding(f'{title(container)} must drop "ALL"')
            for item in _security(container).at("capabilities", "add").items():
                if item.unlike(*_CAPABILITIES_ADDED):
                    yield item.finding(f"{title(container)} must not add {item.raw!r}")


@rule(
    "pss-host-path",
    "Pods mount no folder of the node, through which they could read its secrets or change it.",
    types=POD_TYPES,
    steps="Use a persistent volume claim, a config map or an emptyDir instead of hostPath.",
    severity=Severity.CRITICAL,
    tags=_BASELINE,
    url=_PAGE,
)
def host_path(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for volume in pod.spec["volumes"].items():
            if volume["hostPath"].present and volume.known():
                yield volume["hostPath"].finding(f'volume "{volume["name"].raw}" must not use hostPath')


@rule(
    "pss-volume-types",
    "Pods use only kinds of volumes that carry no rights on the node or on the network.",
    types=POD_TYPES,
    steps="Use one of: " + ", ".join(sorted(_VOLUMES)) + ".",
    severity=Severity.MEDIUM,
    tags=_RESTRICTED,
    url=_PAGE,
)
def volume_types(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for volume in pod.spec["volumes"].items():
            # A volume without a source is an emptyDir by the API server's defaults.
            for key, source in volume.entries():
                if key not in _VOLUMES and key not in ("name", "hostPath") and source.present:
                    yield source.finding(f'volume "{volume["name"].raw}" must not be of type {key}')


@rule(
    "pss-host-ports",
    "Containers bind no port of the node, which would be reachable from outside and block other pods.",
    types=POD_TYPES,
    steps="Remove hostPort; expose the pod through a Service.",
    severity=Severity.HIGH,
    tags=_BASELINE,
    url=_PAGE,
)
def host_ports(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for container in pod.containers():
            for port in container["ports"].items():
                if port["hostPort"].unlike(None, 0, 0.0, "0"):
                    yield port["hostPort"].finding(f"{title(container)} must not use a port of the node")


@rule(
    "pss-host-probes",
    "Probes and lifecycle hooks ask only their own pod: the kubelet must not be made to call other hosts.",
    types=POD_TYPES,
    steps="Remove host from httpGet and tcpSocket handlers of probes and lifecycle hooks.",
    severity=Severity.MEDIUM,
    tags=_BASELINE,
    url=_PAGE,
)
def host_probes(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for container in pod.containers():
            handlers = [container[probe] for probe in ("livenessProbe", "readinessProbe", "startupProbe")]
            handlers += [container.at("lifecycle", hook) for hook in ("postStart", "preStop")]
            for handler in handlers:
                for kind in ("httpGet", "tcpSocket"):
                    host = handler.at(kind, "host")
                    if host.unlike(None, ""):
                        yield host.finding(f"{title(container)} must not name another host")


@rule(
    "pss-apparmor",
    "No container switches AppArmor off.",
    types=POD_TYPES,
    steps="Set appArmorProfile.type to RuntimeDefault or Localhost, or leave the profile out.",
    severity=Severity.HIGH,
    tags=_BASELINE,
    url=_PAGE,
)
def apparmor(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for context in _contexts(pod):
            profile = context["appArmorProfile"]
            if profile.present and profile["type"].unlike(*_APPARMOR_TYPES):
                yield profile["type"].finding("must be RuntimeDefault or Localhost")
        for key, value in pod.annotations.entries():
            allowed = value.raw in (None, "", "runtime/default") or str(value.raw).startswith("localhost/")
            if key.startswith(_APPARMOR_ANNOTATION) and value.known() and not allowed:
                yield value.finding("must be runtime/default or localhost/…")


@rule(
    "pss-selinux",
    "Containers keep a confined SELinux type and set no user or role of their own.",
    types=POD_TYPES,
    steps="Use one of the types " + ", ".join(_SELINUX_TYPES[1:]) + "; remove user and role.",
    severity=Severity.MEDIUM,
    tags=_BASELINE,
    url=_PAGE,
)
def selinux(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for context in _contexts(pod):
            options = context["seLinuxOptions"]
            if options["type"].unlike(None, *_SELINUX_TYPES):
                yield options["type"].finding(f"{options['type'].raw!r} is not one of the confined types")
            for key in ("user", "role"):
                if options[key].unlike(None, ""):
                    yield options[key].finding("must not be set")


@rule(
    "pss-proc-mount",
    "Containers see /proc masked, as the runtime masks it by default.",
    types=POD_TYPES,
    steps="Remove securityContext.procMount, or set it to Default.",
    severity=Severity.MEDIUM,
    tags=_BASELINE,
    url=_PAGE,
)
def proc_mount(resource: Resource, _: Settings) -> Iterator[Finding]:
    # Baseline relaxes this in a user namespace since v1.35; restricted does not.
    for pod in pod_templates(resource):
        for container in pod.containers():
            mount = _security(container)["procMount"]
            if mount.unlike(None, "Default"):
                yield mount.finding(f"{title(container)} must keep the default /proc mount")


@rule(
    "pss-sysctls",
    "Pods set only kernel parameters that are isolated from other pods and from the node.",
    types=POD_TYPES,
    steps="Remove the parameter, or use one of: " + ", ".join(sorted(_SYSCTLS)) + ".",
    severity=Severity.MEDIUM,
    tags=_BASELINE,
    url=_PAGE,
)
def sysctls(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for sysctl in pod.security["sysctls"].items():
            if sysctl["name"].unlike(*_SYSCTLS):
                yield sysctl["name"].finding(f"{sysctl['name'].raw!r} is not a safe parameter")


@rule(
    "pss-privilege-escalation",
    "No process can gain more rights than its parent, as set-uid programs do.",
    types=POD_TYPES,
    steps="Set securityContext.allowPrivilegeEscalation to false on every container.",
    severity=Severity.HIGH,
    tags=_RESTRICTED,
    url=_PAGE,
)
def privilege_escalation(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        if pod.on_windows:
            continue
        for container in pod.containers():
            flag = _security(container)["allowPrivilegeEscalation"]
            if flag.unlike(False):
                yield flag.finding(f"{title(container)} must set it to false")


@rule(
    "pss-run-as-non-root",
    "Containers are refused by the node when their image would run as root.",
    types=POD_TYPES,
    steps="Set runAsNonRoot to true in the pod's securityContext, and nowhere to false.",
    severity=Severity.HIGH,
    tags=_RESTRICTED,
    url=_PAGE,
)
def run_as_non_root(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        if pod.in_user_namespace:
            continue
        of_pod = pod.security["runAsNonRoot"]
        if of_pod.unlike(None, True):
            yield of_pod.finding("must not be false")
        for container in pod.containers():
            own = _security(container)["runAsNonRoot"]
            if own.present:
                if own.unlike(True):
                    yield own.finding(f"{title(container)} must not set it to false")
            elif of_pod.unlike(True, False):
                yield own.finding(f"{title(container)} or its pod must set it to true")


@rule(
    "pss-run-as-user",
    "No pod or container asks for user 0.",
    types=POD_TYPES,
    steps="Remove runAsUser, or set it to a user other than 0.",
    severity=Severity.HIGH,
    tags=_RESTRICTED,
    url=_PAGE,
)
def run_as_user(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        if pod.in_user_namespace:
            continue
        for context in _contexts(pod):
            if context["runAsUser"].number(1) == 0:
                yield context["runAsUser"].finding("must not be 0 (root)")


@rule(
    "pss-seccomp",
    "Containers are confined to the system calls that the runtime's profile allows.",
    types=POD_TYPES,
    steps="Set seccompProfile.type to RuntimeDefault in the pod's securityContext.",
    severity=Severity.HIGH,
    tags=_RESTRICTED,
    url=_PAGE,
    remedy=confined,
)
def seccomp(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        if pod.on_windows:
            continue
        of_pod = pod.security["seccompProfile"]
        allowed = of_pod.present and not of_pod["type"].unlike(*_SECCOMP_TYPES)
        if of_pod.present and not allowed:
            yield of_pod["type"].finding("must be RuntimeDefault or Localhost")
        for container in pod.containers():
            own = _security(container)["seccompProfile"]
            if own.present:
                if own["type"].unlike(*_SECCOMP_TYPES):
                    yield own["type"].finding(f"{title(container)} must use RuntimeDefault or Localhost")
            elif not of_pod.present and own.known():
                yield own["type"].finding(
                    f"{title(container)} or its pod must set RuntimeDefault or Localhost"
                )


def _contexts(pod: PodTemplate) -> Iterator[Node]:
    """The pod's security context, then those of its containers."""
    yield pod.security
    for container in pod.containers():
        yield _security(container)
