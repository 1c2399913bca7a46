"""Identity: no keys, no primitive roles, no public principals."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from pulumi_policy import Severity

from policies.model.property_tree import Finding, Node
from policies.model.stack import Resource, objects_of
from policies.pack.rule import Settings, rule

CONCERN: Final = "identity"
_TAGS: Final = ("SOC2:CC6.1", "SOC2:CC6.3")
_IAM: Final = r"gcp:\w+/\w*[iI][aA][mM]\w*:\w*(IAM|Iam)(Member|Binding|Policy)"
_PRIMITIVE: Final = (
    *("roles/owner", "roles/editor", "roles/viewer"),
    *("roles/admin", "roles/writer", "roles/reader"),  # their successors
)
_EVERYONE: Final = ("allUsers", "allAuthenticatedUsers")
# Every identity of a federation pool, regardless of its attributes.
_WHOLE_POOL: Final = re.compile(r"principalSet://.*/\*")
_ACL: Final = r"gcp:storage/\w*(AccessControl|ACL|Acl)\w*:\w+"


def _bindings(resource: Resource) -> Iterator[tuple[Node, Node]]:
    """Yield the role and each member of an IAM resource, including the text of a policy."""
    node = resource.node
    for member in (node["member"], *node["members"].items()):
        yield node["role"], member
    data = node["policyData"]
    if data.present and data.text():
        try:
            policy = Node(json.loads(data.text()), data.path, data.unevaluated, data.urn)
        except ValueError:
            data.mark_unevaluated("is not valid JSON")
            return
        for binding in policy["bindings"].items():
            for member in binding["members"].items():
                yield binding["role"], member


@rule(
    "no-service-account-keys",
    "Service account keys must not be created. "
    "They are long-lived credentials that can leak; use workload identity federation.",
    concern=CONCERN,
    types=r"gcp:(serviceaccount/key:Key|storage/hmacKey:HmacKey)",
    remediation=(
        "Remove the key; use workload identity on GKE and workload identity federation in pipelines."
    ),
    severity=Severity.CRITICAL,
    tags=("CIS-GKE:6.2.2", *_TAGS),
)
def no_service_account_keys(resource: Resource, _: Settings) -> Iterator[Finding]:
    yield Finding(f"{resource.label} is a long-lived key")


@rule(
    "no-primitive-roles",
    "Primitive roles (owner, editor, viewer) must not be granted. "
    "They give rights over every resource of a project.",
    concern=CONCERN,
    types=_IAM,
    remediation="Grant the predefined role for the task, on the single resource.",
    severity=Severity.CRITICAL,
    tags=_TAGS,
)
def no_primitive_roles(resource: Resource, _: Settings) -> Iterator[Finding]:
    roles = {role.path: role for role, _ in _bindings(resource)}
    for role in roles.values():
        if role.is_one_of(*_PRIMITIVE):
            yield role.finding(f"{role.raw} is a primitive role")


@rule(
    "no-public-members",
    "Permissions must not be granted to allUsers or allAuthenticatedUsers. "
    "Everyone on the internet has them otherwise.",
    concern=CONCERN,
    types=_IAM + "|" + _ACL,
    remediation="Name the identities that need access; serve public content through the edge.",
    severity=Severity.CRITICAL,
    tags=_TAGS,
)
def no_public_members(resource: Resource, _: Settings) -> Iterator[Finding]:
    for _role, member in _bindings(resource):
        if member.is_one_of(*_EVERYONE):
            yield member.finding(f"{member.raw} includes everyone on the internet")
        elif _WHOLE_POOL.fullmatch(member.text()):
            yield member.finding(f"{member.raw} matches every identity of the pool")
    if resource.node["entity"].is_one_of(*_EVERYONE):
        yield resource.node["entity"].finding(
            f"{resource.node['entity'].raw} includes everyone on the internet"
        )
    for key in ("predefinedAcl", "defaultAcl"):
        if resource.node[key].text().startswith(("publicRead", "authenticatedRead")):
            yield resource.node[key].finding("is public")
    for entity in resource.node["roleEntities"].items():
        if entity.text().partition(":")[2] in _EVERYONE:
            yield entity.finding(f"{entity.raw} includes everyone on the internet")


@rule(
    "no-wildcard-permissions",
    "Roles must not contain wildcard permissions. "
    "A compromised account has every right in its scope otherwise.",
    concern=CONCERN,
    types=r"kubernetes:rbac\.authorization\.k8s\.io/\w+:(Cluster)?Role(Binding)?(List)?",
    remediation="List the verbs, resources and API groups that are needed.",
    severity=Severity.HIGH,
    tags=("CIS-GKE:5.1.3", *_TAGS),
)
def no_wildcard_permissions(resource: Resource, _: Settings) -> Iterator[Finding]:
    for item in objects_of(resource):
        role = item.node["roleRef"]
        # The other default roles (admin, edit, view) have no wildcard and cannot change quotas or nodes.
        if role["kind"].is_one_of(None, "ClusterRole") and role["name"].is_one_of("cluster-admin"):
            yield role["name"].finding("grants every right in its scope")
        for entry in item.node["rules"].items():
            for key in ("verbs", "resources", "apiGroups", "nonResourceURLs"):
                for value in entry[key].items():
                    if value.text() in ("*", "*/*", "/*"):
                        yield value.finding(f"allows all {key}")
        for subject in item.node["subjects"].items():
            if subject["name"].is_one_of("system:anonymous", "system:unauthenticated"):
                yield subject["name"].finding("is granted to unauthenticated users")
            if subject["name"].is_one_of("system:authenticated"):
                # On GKE, that is every Google account.
                yield subject["name"].finding("is granted to every authenticated user")
            if subject["name"].is_one_of("system:masters"):
                yield subject["name"].finding("grants `*`")


@rule(
    "workload-identity",
    "Workload Identity must be enabled and node metadata concealed. "
    "Pods can use the identity of their node otherwise.",
    concern=CONCERN,
    types=r"gcp:container/(cluster:Cluster|nodePool:NodePool)",
    remediation=(
        "Set workloadPool on the cluster and workloadMetadataConfig.mode GKE_METADATA on its pools."
    ),
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
    if mode.is_not_one_of("GKE_METADATA"):
        yield mode.finding("must be GKE_METADATA: pods could act as their node")


@rule(
    "node-identity",
    "Nodes must use a dedicated service account with least privilege. "
    "A compromised node can change the project otherwise.",
    concern=CONCERN,
    types=r"gcp:container/nodePool:NodePool",
    remediation=(
        "Make a service account with roles/container.defaultNodeServiceAccount and name it in nodeConfig."
    ),
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
    "Nodes must be shielded, with secure boot. A node with a changed boot image starts otherwise.",
    concern=CONCERN,
    types=r"gcp:container/nodePool:NodePool",
    remediation="Enable secure boot and integrity monitoring in nodeConfig.shieldedInstanceConfig.",
    severity=Severity.MEDIUM,
    tags=("CIS-GKE:6.5.5", "CIS-GKE:6.5.7", "SOC2:CC6.8"),
)
def shielded_nodes(resource: Resource, _: Settings) -> Iterator[Finding]:
    shielded = resource.node.at("nodeConfig", "shieldedInstanceConfig")
    if shielded["enableSecureBoot"].is_not_one_of(True):
        yield shielded["enableSecureBoot"].finding("must be true")
    if shielded["enableIntegrityMonitoring"].is_not_one_of(None, True):
        yield shielded["enableIntegrityMonitoring"].finding("must be true")


@rule(
    "gke-modern-auth",
    "Legacy ABAC and client certificates must be disabled. They cannot be revoked.",
    concern=CONCERN,
    types=r"gcp:container/cluster:Cluster",
    remediation="Leave enableLegacyAbac off and issueClientCertificate false.",
    severity=Severity.HIGH,
    tags=("CIS-GKE:6.8.2", "CIS-GKE:6.8.4", *_TAGS),
)
def gke_modern_auth(resource: Resource, _: Settings) -> Iterator[Finding]:
    for path in (("enableLegacyAbac",), ("masterAuth", "clientCertificateConfig", "issueClientCertificate")):
        if resource.node.at(*path).is_not_one_of(None, False):
            yield resource.node.at(*path).finding("must be false")


@rule(
    "federation-conditions",
    "Workload identity federation providers must restrict the repository. "
    "Any repository can deploy otherwise.",
    concern=CONCERN,
    types=r"gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider",
    remediation=(
        "Set attributeCondition on the repository's owner, such as assertion.repository_owner_id == '…'."
    ),
    severity=Severity.CRITICAL,
    tags=_TAGS,
)
def federation_conditions(resource: Resource, _: Settings) -> Iterator[Finding]:
    condition = resource.node["attributeCondition"]
    if condition.known() and not re.search(r"\b(assertion|attribute|google)\b", condition.text()):
        yield condition.finding(
            "must restrict whose tokens are accepted: the issuer signs tokens for every repository"
        )


@rule(
    "database-least-privilege",
    "Database users must have named roles on named databases. "
    "A stolen login reaches every database otherwise.",
    concern=CONCERN,
    types=r"mongodbatlas:index/(databaseUser:DatabaseUser|x509AuthenticationDatabaseUser:X509AuthenticationDatabaseUser)",
    remediation="Grant readWrite on the service's database instead of roles over all databases.",
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
        if role["roleName"].is_one_of(*broad):
            yield role["roleName"].finding(f"{role['roleName'].raw} reaches every database")
