"""Identity: no keys, no roles that may do everything, no principals that are everyone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from pulumi_policy import Severity

from policies.model.property_tree import Finding, Node
from policies.model.stack import Resource, objects_of
from policies.pack.rule import Settings, rule

_TAGS: Final = ("SOC2:CC6.1", "SOC2:CC6.3")
_IAM: Final = r"gcp:\w+/\w*[iI][aA][mM]\w*:\w*(IAM|Iam)(Member|Binding|Policy)"
_PRIMITIVE: Final = (
    *("roles/owner", "roles/editor", "roles/viewer"),
    *("roles/admin", "roles/writer", "roles/reader"),  # their successors
)
_EVERYONE: Final = ("allUsers", "allAuthenticatedUsers")
# Every identity of a federation's pool, whatever its attributes say.
_WHOLE_POOL: Final = re.compile(r"principalSet://.*/\*")
_ACL: Final = r"gcp:storage/\w*(AccessControl|ACL|Acl)\w*:\w+"


def _bindings(resource: Resource) -> Iterator[tuple[Node, Node]]:
    """The role and each member that an IAM resource grants it to, also those in the text of a policy."""
    node = resource.node
    for member in (node["member"], *node["members"].items()):
        yield node["role"], member
    data = node["policyData"]
    if data.present and data.text():
        try:
            policy = Node(json.loads(data.text()), data.path, data.unjudged, data.urn)
        except ValueError:
            data.set_aside("is no JSON")
            return
        for binding in policy["bindings"].items():
            for member in binding["members"].items():
                yield binding["role"], member


@rule(
    "no-service-account-keys",
    "There is no key that could leak: workloads and pipelines prove who they are by federation.",
    types=r"gcp:(serviceaccount/key:Key|storage/hmacKey:HmacKey)",
    steps="Remove the key; use workload identity on GKE and workload identity federation in pipelines.",
    severity=Severity.CRITICAL,
    tags=("CIS-GKE:6.2.2", *_TAGS),
)
def no_service_account_keys(resource: Resource, _: Settings) -> Iterator[Finding]:
    yield Finding(f"{resource.label} is a long-lived key")


@rule(
    "no-primitive-roles",
    "Nobody is given everything at once: no owner, editor or viewer of a whole project.",
    types=_IAM,
    steps="Grant the predefined role for the task, on the single resource.",
    severity=Severity.CRITICAL,
    tags=_TAGS,
)
def no_primitive_roles(resource: Resource, _: Settings) -> Iterator[Finding]:
    roles = {role.path: role for role, _ in _bindings(resource)}
    for role in roles.values():
        if role.like(*_PRIMITIVE):
            yield role.finding(f"{role.raw} is a primitive role")


@rule(
    "no-public-members",
    "No permission is given to everyone on the internet.",
    types=_IAM + "|" + _ACL,
    steps="Name the identities that need access; serve public content through the edge.",
    severity=Severity.CRITICAL,
    tags=_TAGS,
)
def no_public_members(resource: Resource, _: Settings) -> Iterator[Finding]:
    for _role, member in _bindings(resource):
        if member.like(*_EVERYONE):
            yield member.finding(f"{member.raw} is everyone")
        elif _WHOLE_POOL.fullmatch(member.text()):
            yield member.finding(f"{member.raw} is everyone whose tokens the pool takes")
    if resource.node["entity"].like(*_EVERYONE):
        yield resource.node["entity"].finding(f"{resource.node['entity'].raw} is everyone")
    for key in ("predefinedAcl", "defaultAcl"):
        if resource.node[key].text().startswith(("publicRead", "authenticatedRead")):
            yield resource.node[key].finding("is open to everyone")
    for entity in resource.node["roleEntities"].items():
        if entity.text().partition(":")[2] in _EVERYONE:
            yield entity.finding(f"{entity.raw} is everyone")


@rule(
    "no-wildcard-permissions",
    "No role of our own may do anything to anything.",
    types=r"kubernetes:rbac\.authorization\.k8s\.io/\w+:(Cluster)?Role(Binding)?(List)?",
    steps="List the verbs, resources and API groups that are needed.",
    severity=Severity.HIGH,
    tags=("CIS-GKE:5.1.3", *_TAGS),
)
def no_wildcard_permissions(resource: Resource, _: Settings) -> Iterator[Finding]:
    for item in objects_of(resource):
        if item.node.at("roleRef", "name").like("cluster-admin", "admin", "edit"):
            yield item.node.at("roleRef", "name").finding("gives rights over everything in its scope")
        for entry in item.node["rules"].items():
            for key in ("verbs", "resources", "apiGroups", "nonResourceURLs"):
                for value in entry[key].items():
                    if value.text() in ("*", "*/*", "/*"):
                        yield value.finding(f"allows all {key}")
        for subject in item.node["subjects"].items():
            if subject["name"].like("system:anonymous", "system:unauthenticated", "system:authenticated"):
                yield subject["name"].finding("is everyone who can reach the cluster")
            if subject["name"].like("system:masters"):
                yield subject["name"].finding("may do everything, whatever other rules say")


@rule(
    "workload-identity",
    "Pods act as themselves and never as their node: workload identity is on, the node's credentials hidden.",
    types=r"gcp:container/(cluster:Cluster|nodePool:NodePool)",
    steps="Set workloadPool on the cluster and workloadMetadataConfig.mode GKE_METADATA on its pools.",
    severity=Severity.HIGH,
    tags=("CIS-GKE:6.2.2", "CIS-GKE:6.4.2", *_TAGS),
)
def workload_identity(resource: Resource, _: Settings) -> Iterator[Finding]:
    if resource.type.endswith(":Cluster"):
        pool = resource.node.at("workloadIdentityConfig", "workloadPool")
        if not pool.present:
            yield pool.finding("must name the project's workload pool")
        return
    mode = resource.node.at("nodeConfig", "workloadMetadataConfig", "mode")
    if mode.unlike("GKE_METADATA"):
        yield mode.finding("must be GKE_METADATA: pods could act as their node")


@rule(
    "node-identity",
    "A node taken over cannot change the project: nodes run as an identity of their own with few rights.",
    types=r"gcp:container/nodePool:NodePool",
    steps="Make a service account with roles/container.defaultNodeServiceAccount and name it in nodeConfig.",
    severity=Severity.HIGH,
    tags=("CIS-GKE:6.2.1", *_TAGS),
)
def node_identity(resource: Resource, _: Settings) -> Iterator[Finding]:
    account = resource.node.at("nodeConfig", "serviceAccount")
    if account.known() and (
        not account.text() or re.search(r"-compute@developer\b|^default$", account.text())
    ):
        yield account.finding("must be an account of its own, not Compute Engine's default")


@rule(
    "shielded-nodes",
    "A node that was tampered with does not boot.",
    types=r"gcp:container/nodePool:NodePool",
    steps="Enable secure boot and integrity monitoring in nodeConfig.shieldedInstanceConfig.",
    severity=Severity.MEDIUM,
    tags=("CIS-GKE:6.5.5", "CIS-GKE:6.5.7", "SOC2:CC6.8"),
)
def shielded_nodes(resource: Resource, _: Settings) -> Iterator[Finding]:
    shielded = resource.node.at("nodeConfig", "shieldedInstanceConfig")
    if shielded["enableSecureBoot"].unlike(True):
        yield shielded["enableSecureBoot"].finding("must be true")
    if shielded["enableIntegrityMonitoring"].unlike(None, True):
        yield shielded["enableIntegrityMonitoring"].finding("must be true")


@rule(
    "gke-modern-auth",
    "Nobody signs in to the cluster in ways that cannot be revoked: no ABAC, client certificates, passwords.",
    types=r"gcp:container/cluster:Cluster",
    steps="Leave enableLegacyAbac off and issueClientCertificate false.",
    severity=Severity.HIGH,
    tags=("CIS-GKE:6.8.2", "CIS-GKE:6.8.4", *_TAGS),
)
def gke_modern_auth(resource: Resource, _: Settings) -> Iterator[Finding]:
    for path in (("enableLegacyAbac",), ("masterAuth", "clientCertificateConfig", "issueClientCertificate")):
        if resource.node.at(*path).unlike(None, False):
            yield resource.node.at(*path).finding("must be false")


@rule(
    "federation-conditions",
    "Only our own repository deploys: identity federation says whose tokens it takes.",
    types=r"gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider",
    steps="Set attributeCondition on the repository's owner, such as assertion.repository_owner_id == '…'.",
    severity=Severity.CRITICAL,
    tags=_TAGS,
)
def federation_conditions(resource: Resource, _: Settings) -> Iterator[Finding]:
    condition = resource.node["attributeCondition"]
    if condition.known() and not re.search(r"\b(assertion|attribute|google)\b", condition.text()):
        yield condition.finding("must say whose tokens are taken: the issuer serves everyone")


@rule(
    "database-least-privilege",
    "A stolen database login reaches one database: users have named roles on named databases.",
    types=r"mongodbatlas:index/(databaseUser:DatabaseUser|x509AuthenticationDatabaseUser:X509AuthenticationDatabaseUser)",
    steps="Grant readWrite on the service's database instead of roles over all databases.",
    severity=Severity.HIGH,
    tags=_TAGS,
)
def database_least_privilege(resource: Resource, _: Settings) -> Iterator[Finding]:
    broad = (
        "atlasAdmin",
        "readWriteAnyDatabase",
        "dbAdminAnyDatabase",
        "root",
        "clusterAdmin",
        "readAnyDatabase",
    )
    for role in resource.node["roles"].items():
        if role["roleName"].like(*broad):
            yield role["roleName"].finding(f"{role['roleName'].raw} reaches every database")
