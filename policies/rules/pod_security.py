"""The restricted Pod Security Standard: one policy per control, as of Kubernetes v1.37.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/ and, where it leaves details open
(empty objects, precedence of levels), the checks of ``k8s.io/pod-security-admission``. The names of the
policies follow the controls of the page. Restricted includes baseline.
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

CONCERN: Final = "pod-security"
_PAGE: Final = "https://kubernetes.io/docs/concepts/security/pod-security-standards/"
# Restricted includes all of baseline, so each tag selects exactly its level.
_BASELINE: Final = ("PSS:baseline", "PSS:restricted", "CIS-GKE:5.2", "SOC2:CC6.1")
_RESTRICTED: Final = ("PSS:restricted", "CIS-GKE:5.2", "SOC2:CC6.1")

_CAPABILITIES_ADDED: Final = frozenset({"NET_BIND_SERVICE"})
_CAPABILITIES_BASELINE: Final = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
        "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip
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
    """Whether "ALL", in capitals as the runtimes require, is among the dropped capabilities."""
    return any(item.raw == "ALL" for item in dropped)


def _security(container: Node) -> Node:
    return container["securityContext"]


@rule(
    "pss-host-namespaces",
    "Pods must not share the node's network, process or IPC namespace. "
    "A container could otherwise observe every process and connection of the node.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Remove hostNetwork, hostPID and hostIPC, or set them to false.",
    severity=Severity.CRITICAL,
    tags=_BASELINE,
    url=_PAGE,
)
def host_namespaces(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.spec[key].is_not_one_of(None, False):
                yield pod.spec[key].finding("must not be true: it shares a namespace of the node")


@rule(
    "pss-privileged",
    "Containers must not be privileged. A privileged container has nearly no isolation from the node.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Remove securityContext.privileged, or set it to false; grant the one capability needed.",
    severity=Severity.CRITICAL,
    tags=_BASELINE,
    url=_PAGE,
)
def privileged(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for container in pod.containers():
            flag = _security(container)["privileged"]
            if flag.is_not_one_of(None, False):
                yield flag.finding(f"{title(container)} must not be privileged")


@rule(
    "pss-windows-host-process",
    "Windows containers must not run as host processes. A host process has the rights of the node.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Remove securityContext.windowsOptions.hostProcess, or set it to false.",
    severity=Severity.CRITICAL,
    tags=_BASELINE,
    url=_PAGE,
)
def windows_host_process(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for context in _contexts(pod):
            flag = context.at("windowsOptions", "hostProcess")
            if flag.is_not_one_of(None, False):
                yield flag.finding("must not be true: host processes have the rights of the node")


@rule(
    "pss-capabilities",
    "Containers must drop ALL capabilities and may add only NET_BIND_SERVICE. "
    "Each remaining capability is available to an attacker who takes over a process.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation='Set securityContext.capabilities.drop to ["ALL"]; add back at most NET_BIND_SERVICE.',
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
            # Reported only if every entry is known, since an unknown one may be ALL.
            certain = drop.known() and (drops_all(dropped) or all(item.known() for item in dropped))
            if certain and not drops_all(dropped):
                yield drop.finding(f'{title(container)} must drop "ALL"')
            for item in _security(container).at("capabilities", "add").items():
                # Others are found by pss-capabilities-baseline.
                if item.is_not_one_of(*_CAPABILITIES_ADDED) and item.text() in _CAPABILITIES_BASELINE:
                    yield item.finding(f"{title(container)} must not add {item.raw!r}")


@rule(
    "pss-capabilities-baseline",
    "Containers must not add capabilities beyond the default set. "
    "Each further one gives a process rights over the node or over other pods.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Remove the capability, or add one of: " + ", ".join(sorted(_CAPABILITIES_BASELINE)) + ".",
    severity=Severity.CRITICAL,
    tags=_BASELINE,
    url=_PAGE,
)
def capabilities_baseline(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        if pod.on_windows:
            continue  # the API server refuses capabilities there
        for container in pod.containers():
            for item in _security(container).at("capabilities", "add").items():
                if item.is_not_one_of(*_CAPABILITIES_BASELINE):
                    yield item.finding(f"{title(container)} must not add {item.raw!r}")


@rule(
    "pss-host-path",
    "Pods must not mount hostPath volumes. A pod could otherwise read the node's secrets or change the node.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Use a persistent volume claim, a config map or an emptyDir instead of hostPath.",
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
    "Pods must use only volume types that grant no rights on the node or the network. "
    "Other types give a pod direct access to the node's storage.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Use one of: " + ", ".join(sorted(_VOLUMES)) + ".",
    severity=Severity.MEDIUM,
    tags=_RESTRICTED,
    url=_PAGE,
)
def volume_types(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for volume in pod.spec["volumes"].items():
            # A volume without a source becomes an emptyDir.
            for key, source in volume.entries():
                if key.startswith("$"):
                    continue  # a directive of a strategic merge patch, such as $patch
                if key not in _VOLUMES and key not in ("name", "hostPath") and source.present:
                    yield source.finding(f'volume "{volume["name"].raw}" must not be of type {key}')


@rule(
    "pss-host-ports",
    "Containers must not use ports of the node. Such a port is reachable from outside and blocks other pods.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Remove hostPort; expose the pod through a Service.",
    severity=Severity.HIGH,
    tags=_BASELINE,
    url=_PAGE,
)
def host_ports(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for container in pod.containers():
            for port in container["ports"].items():
                if port["hostPort"].is_not_one_of(None, 0, 0.0, "0"):
                    yield port["hostPort"].finding(f"{title(container)} must not use a port of the node")


@rule(
    "pss-host-probes",
    "Probes and lifecycle hooks must not name another host. "
    "The kubelet could otherwise be made to send requests to internal addresses.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Remove host from httpGet and tcpSocket handlers of probes and lifecycle hooks.",
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
                    if host.is_not_one_of(None, ""):
                        yield host.finding(f"{title(container)} must not name another host")


@rule(
    "pss-apparmor",
    "Containers must not disable AppArmor. "
    "Without a profile, a compromised process has every file of its container and every system call.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Set appArmorProfile.type to RuntimeDefault or Localhost, or leave the profile out.",
    severity=Severity.HIGH,
    tags=_BASELINE,
    url=_PAGE,
)
def apparmor(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for context in _contexts(pod):
            profile = context["appArmorProfile"]
            if profile.present and profile["type"].is_not_one_of(*_APPARMOR_TYPES):
                yield profile["type"].finding("must be RuntimeDefault or Localhost")
        for key, value in pod.annotations.entries():
            allowed = value.raw in (None, "", "runtime/default") or str(value.raw).startswith("localhost/")
            if key.startswith(_APPARMOR_ANNOTATION) and value.known() and not allowed:
                yield value.finding("must be runtime/default or localhost/…")


@rule(
    "pss-selinux",
    "Containers must keep a confined SELinux type and set no user or role. "
    "Other types lift the isolation from the node.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Use one of the types " + ", ".join(_SELINUX_TYPES[1:]) + "; remove user and role.",
    severity=Severity.MEDIUM,
    tags=_BASELINE,
    url=_PAGE,
)
def selinux(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for context in _contexts(pod):
            options = context["seLinuxOptions"]
            if options["type"].is_not_one_of(None, *_SELINUX_TYPES):
                yield options["type"].finding(f"{options['type'].raw!r} is not one of the confined types")
            for key in ("user", "role"):
                if options[key].is_not_one_of(None, ""):
                    yield options[key].finding("must not be set")


@rule(
    "pss-proc-mount",
    "Containers must keep the default /proc mount. An unmasked /proc exposes the node's kernel.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Remove securityContext.procMount, or set it to Default.",
    severity=Severity.MEDIUM,
    tags=_BASELINE,
    url=_PAGE,
)
def proc_mount(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        # Baseline allows it in a user namespace since v1.35.
        if not pod.in_user_namespace:
            yield from _unmasked(pod)


@rule(
    "pss-proc-mount-restricted",
    "Containers in a user namespace must keep the default /proc mount. "
    "Baseline permits other types in a user namespace, restricted does not.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Remove securityContext.procMount, or set it to Default.",
    severity=Severity.MEDIUM,
    tags=_RESTRICTED,
    url=_PAGE,
)
def proc_mount_restricted(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        if pod.in_user_namespace:
            yield from _unmasked(pod)


def _unmasked(pod: PodTemplate) -> Iterator[Finding]:
    for container in pod.containers():
        mount = _security(container)["procMount"]
        if mount.is_not_one_of(None, "Default"):
            yield mount.finding(f"{title(container)} must keep the default /proc mount")


@rule(
    "pss-sysctls",
    "Pods must set only safe sysctls. Other kernel parameters change the node and every pod on it.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Remove the parameter, or use one of: " + ", ".join(sorted(_SYSCTLS)) + ".",
    severity=Severity.MEDIUM,
    tags=_BASELINE,
    url=_PAGE,
)
def sysctls(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        for sysctl in pod.security["sysctls"].items():
            if sysctl["name"].is_not_one_of(*_SYSCTLS):
                yield sysctl["name"].finding(f"{sysctl['name'].raw!r} is not a safe parameter")


@rule(
    "pss-privilege-escalation",
    "Containers must set allowPrivilegeEscalation to false. "
    "A set-uid program could otherwise gain more rights than its parent process.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Set securityContext.allowPrivilegeEscalation to false on every container.",
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
            if flag.is_not_one_of(False):
                yield flag.finding(f"{title(container)} must set it to false")


@rule(
    "pss-run-as-non-root",
    "Containers must set runAsNonRoot to true. An image that runs as root would otherwise start.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Set runAsNonRoot to true in the pod's securityContext, and nowhere to false.",
    severity=Severity.HIGH,
    tags=_RESTRICTED,
    url=_PAGE,
)
def run_as_non_root(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        if pod.in_user_namespace:
            continue
        of_pod = pod.security["runAsNonRoot"]
        if of_pod.is_not_one_of(None, True):
            yield of_pod.finding("must not be false")
        for container in pod.containers():
            own = _security(container)["runAsNonRoot"]
            if own.present:
                if own.is_not_one_of(True):
                    yield own.finding(f"{title(container)} must not set it to false")
            elif of_pod.is_not_one_of(True, False):
                yield own.finding(f"{title(container)} or its pod must set it to true")


@rule(
    "pss-run-as-user",
    "Containers must not run as UID 0. Root in a container is root on the node after a container escape.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Remove runAsUser, or set it to a user other than 0.",
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
    "pss-seccomp-baseline",
    "Containers must not set an unconfined seccomp profile. "
    "Without a profile, a process can make every system call of the node's kernel.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Set seccompProfile.type to RuntimeDefault or Localhost, or remove the profile.",
    severity=Severity.HIGH,
    tags=_BASELINE,
    url=_PAGE,
)
def seccomp_baseline(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        if pod.on_windows:
            continue  # the API server refuses a profile there
        for context in _contexts(pod):
            profile = context["seccompProfile"]
            if profile.present and profile["type"].is_not_one_of(*_SECCOMP_TYPES):
                yield profile["type"].finding("must be RuntimeDefault or Localhost")


@rule(
    "pss-seccomp",
    "Containers must set a seccomp profile. "
    "Without one, a process can make every system call of the node's kernel.",
    concern=CONCERN,
    types=POD_TYPES,
    remediation="Set seccompProfile.type to RuntimeDefault in the pod's securityContext.",
    severity=Severity.HIGH,
    tags=_RESTRICTED,
    url=_PAGE,
    remedy=confined,
)
def seccomp(resource: Resource, _: Settings) -> Iterator[Finding]:
    for pod in pod_templates(resource):
        if pod.on_windows:
            continue
        # A disallowed profile is found by pss-seccomp-baseline.
        of_pod = pod.security["seccompProfile"]
        for container in pod.containers():
            own = _security(container)["seccompProfile"]
            if own.known() and not own.present and of_pod.known() and not of_pod.present:
                yield own["type"].finding(
                    f"{title(container)} or its pod must set RuntimeDefault or Localhost"
                )


def _contexts(pod: PodTemplate) -> Iterator[Node]:
    """Yield the pod's security context, then those of its containers."""
    yield pod.security
    for container in pod.containers():
        yield _security(container)
