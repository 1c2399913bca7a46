"""Google Cloud, Atlas and Cloudflare."""

from __future__ import annotations

import json
from typing import Any

from policies.testing import DROP, ResourceFixture
from tests.policies.cases import Break, Case, breaking

CLUSTER: dict[str, Any] = {
    "location": "europe-west1",
    "privateClusterConfig": {"enablePrivateNodes": True, "enablePrivateEndpoint": True},
    "controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"enabled": False}},
    "datapathProvider": "ADVANCED_DATAPATH",
    "workloadIdentityConfig": {"workloadPool": "p.svc.id.goog"},
    "databaseEncryption": {"state": "ENCRYPTED", "keyName": "k"},
    "deletionProtection": True,
}
POOL: dict[str, Any] = {
    "location": "europe-west1",
    "networkConfig": {"enablePrivateNodes": True},
    "nodeConfig": {
        "serviceAccount": "nodes@p.iam.gserviceaccount.com",
        "workloadMetadataConfig": {"mode": "GKE_METADATA"},
        "shieldedInstanceConfig": {"enableSecureBoot": True, "enableIntegrityMonitoring": True},
    },
}
REDIS: dict[str, Any] = {
    "region": "europe-west1",
    "tier": "STANDARD_HA",
    "authEnabled": True,
    "transitEncryptionMode": "SERVER_AUTHENTICATION",
    "persistenceConfig": {"persistenceMode": "RDB"},
    "deletionProtection": True,
}
REGION: dict[str, Any] = {
    "regionName": "WESTERN_EUROPE",
    "electableSpecs": {"nodeCount": 3},
    "autoScaling": {"computeEnabled": True},
}
ATLAS: dict[str, Any] = {
    "advancedConfiguration": {"minimumEnabledTlsProtocol": "TLS1_2"},
    "replicationSpecs": [{"regionConfigs": [REGION]}],
    "backupEnabled": True,
    "retainBackupsEnabled": True,
    "pitEnabled": True,
    "useEffectiveFields": True,
    "terminationProtectionEnabled": True,
}
BUCKET: dict[str, Any] = {
    "location": "EU",
    "uniformBucketLevelAccess": True,
    "publicAccessPrevention": "enforced",
    "versioning": {"enabled": True},
    "softDeletePolicy": {"retentionDurationSeconds": 604800},
    "cors": [{"origins": ["https://kingdom.studio"]}],
}
A_CLUSTER = ResourceFixture("gcp:container/cluster:Cluster", CLUSTER, "cluster", protect=True)
A_POOL = ResourceFixture("gcp:container/nodePool:NodePool", POOL, "pool")
A_REDIS = ResourceFixture("gcp:redis/instance:Instance", REDIS, "redis", protect=True)
AN_ATLAS = ResourceFixture("mongodbatlas:index/advancedCluster:AdvancedCluster", ATLAS, "atlas", protect=True)
A_BUCKET = ResourceFixture("gcp:storage/bucket:Bucket", BUCKET, "bucket", protect=True)
R = "replicationSpecs[0].regionConfigs[0]"


def setting(name: str, value: Any) -> ResourceFixture:
    props = {"zoneId": "z", "settingId": name, "value": value}
    return ResourceFixture("cloudflare:index/zoneSetting:ZoneSetting", props, name)


def policy(role: str, member: str) -> str:
    """The text of an IAM policy with one binding."""
    return json.dumps({"bindings": [{"role": role, "members": [member]}]})


HSTS = {"strict_transport_security": {"enabled": True, "max_age": 31536000}}
SETTINGS = (
    setting("ssl", "strict"),
    setting("min_tls_version", "1.2"),
    setting("always_use_https", "on"),
    setting("security_header", HSTS),
)
RECORD = ResourceFixture(
    "cloudflare:index/dnsRecord:DnsRecord", {"zoneId": "z", "type": "A", "name": "api", "proxied": True}
)
IAM = ResourceFixture(
    "gcp:projects/iAMMember:IAMMember", {"role": "roles/logging.logWriter", "member": "serviceAccount:a"}
)
ROLE = {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}
BINDING = {"roleRef": {"name": "view"}, "subjects": [{"name": "someone"}]}
ALERTS: tuple[ResourceFixture, ...] = tuple(
    ResourceFixture(
        "gcp:monitoring/alertPolicy:AlertPolicy",
        {
            "userLabels": {"requirement": requirement, "severity": severity},
            "conditions": [{"conditionThreshold": {"thresholdValue": value}}],
        },
        f"{requirement}-{severity}",
    )
    for requirement, values in (
        ("alr1", (0.8, 0.9)),
        ("alr2", (80, 95)),
        ("alr3", (1, 3)),
        ("alr4", (0.05, 0.1)),
        ("alr5", (80, 95)),
    )
    for severity, value in zip(("warning", "critical"), values, strict=True)
)
QUERY = "conditions[0].conditionPrometheusQueryLanguage.query"
PROMETHEUS = (
    ResourceFixture(
        "gcp:monitoring/alertPolicy:AlertPolicy",
        {
            "userLabels": {"requirement": "alr4", "severity": "warning"},
            "conditions": [
                {
                    "conditionPrometheusQueryLanguage": {
                        "query": '100 * sum(rate(seconds_count{status=~"5.."}[5m])) / 7 > 5'
                    }
                }
            ],
        },
        "failing",
    ),
    *(alert for alert in ALERTS if alert.name != "alr4-warning"),
)

CASES = (
    Case("tls-redis", (A_REDIS,), breaking(("transitEncryptionMode", DROP), ("authEnabled", False))),
    Case(
        "tls-atlas",
        (AN_ATLAS,),
        breaking(("advancedConfiguration.minimumEnabledTlsProtocol", "TLS1_0")),
    ),
    *(
        Case("tls-edge-setting", (setting(name, good),), breaking(("value", bad)))
        for name, good, bad in (
            ("ssl", "strict", "flexible"),
            ("min_tls_version", "1.2", "1.1"),
            ("tls_1_3", "on", "off"),
            ("always_use_https", "on", "off"),
        )
    ),
    Case(
        "tls-edge-setting",
        (
            ResourceFixture(
                "cloudflare:index/ruleset:Ruleset",
                {"rules": [{"action": "set_config", "actionParameters": {"ssl": "strict"}}]},
            ),
        ),
        breaking(
            ("rules[0].actionParameters.ssl", "flexible"),
            ("rules[0].actionParameters.automaticHttpsRewrites", False),
        ),
    ),
    Case(
        "tls-hsts",
        (SETTINGS[3],),
        breaking(
            ("value.strict_transport_security.enabled", False),
            ("value.strict_transport_security.max_age", 60),
        ),
    ),
    Case(
        "tls-edge",
        (*SETTINGS, RECORD),
        (
            Break({"settingId": "http3"}, "sets no ssl"),
            Break({"settingId": "http3"}, "security_header", index=3),
        ),
    ),
    Case(
        "tls-load-balancer",
        (ResourceFixture("cloudflare:index/loadBalancerMonitor:LoadBalancerMonitor", {"type": "https"}),),
        breaking(("type", "http"), ("allowInsecure", True)),
    ),
    Case(
        "tls-uptime-check",
        (
            ResourceFixture(
                "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig",
                {"httpCheck": {"useSsl": True, "validateSsl": True}},
            ),
        ),
        breaking(("httpCheck.useSsl", False), ("httpCheck.validateSsl", DROP)),
    ),
    Case("tls-bucket-origins", (A_BUCKET,), breaking(("cors[0].origins[0]", "http://kingdom.studio"))),
    Case("private-nodes", (A_CLUSTER,), breaking(("privateClusterConfig.enablePrivateNodes", False))),
    Case("private-nodes", (A_POOL,), breaking(("networkConfig.enablePrivateNodes", False))),
    Case(
        "private-control-plane",
        (A_CLUSTER,),
        (
            Break(
                {"privateClusterConfig.enablePrivateEndpoint": False, "controlPlaneEndpointsConfig": {}},
                "privateClusterConfig.enablePrivateEndpoint",
            ),
            Break(
                {"masterAuthorizedNetworksConfig": {"cidrBlocks": [{"cidrBlock": "0.0.0.0/0"}]}},
                "masterAuthorizedNetworksConfig.cidrBlocks[0].cidrBlock",
            ),
        ),
    ),
    Case(
        "no-service-account-keys",
        (ResourceFixture("gcp:serviceaccount/account:Account", {}),),
        (
            Break({}, "long-lived key", become="gcp:serviceaccount/key:Key"),
            Break({}, "long-lived key", become="gcp:storage/hmacKey:HmacKey"),
        ),
    ),
    Case("network-policy-enforced", (A_CLUSTER,), breaking(("datapathProvider", "LEGACY_DATAPATH"))),
    Case(
        "firewall-open",
        (
            ResourceFixture(
                "gcp:compute/firewall:Firewall",
                {"allows": [{"protocol": "tcp"}], "sourceRanges": ["10.0.0.0/8"]},
            ),
        ),
        breaking(
            ("sourceRanges[0]", "0.0.0.0/0"), ("sourceRanges[0]", "128.0.0.0/1"), ("sourceRanges", DROP)
        ),
        passes=(
            {"sourceRanges[0]": "0.0.0.0/0", "direction": "EGRESS"},
            {"sourceRanges": DROP, "sourceTags": ["web"]},
        ),
    ),
    Case(
        "firewall-open",
        (
            ResourceFixture(
                "gcp:compute/networkFirewallPolicyRule:NetworkFirewallPolicyRule",
                {"action": "allow", "direction": "INGRESS", "match": {"srcIpRanges": ["10.0.0.0/8"]}},
            ),
        ),
        breaking(("match.srcIpRanges[0]", "0.0.0.0/0")),
        passes=({"action": "deny", "match.srcIpRanges[0]": "0.0.0.0/0"},),
    ),
    Case(
        "atlas-access",
        (
            ResourceFixture(
                "mongodbatlas:index/projectIpAccessList:ProjectIpAccessList", {"ipAddress": "34.1.2.3"}
            ),
        ),
        breaking(("cidrBlock", "0.0.0.0/0"), ("cidrBlock", "34.0.0.0/8"), ("ipAddress", "::/0")),
    ),
    Case("origin-hidden", (RECORD,), breaking(("proxied", False))),
    Case("atlas-backup", (AN_ATLAS,), breaking(("backupEnabled", False), ("retainBackupsEnabled", DROP))),
    Case("atlas-point-in-time", (AN_ATLAS,), breaking(("pitEnabled", False))),
    Case(
        "atlas-backup-schedule",
        (
            ResourceFixture(
                "mongodbatlas:index/cloudBackupSchedule:CloudBackupSchedule",
                {"restoreWindowDays": 7, "policyItemDaily": {"retentionUnit": "days", "retentionValue": 7}},
            ),
        ),
        breaking(("restoreWindowDays", 1), ("policyItemDaily.retentionValue", 1), ("policyItemDaily", DROP)),
    ),
    *(
        Case("deletion-protection", (given,), breaking((field, False)))
        for given, field in (
            (A_CLUSTER, "deletionProtection"),
            (A_REDIS, "deletionProtection"),
            (AN_ATLAS, "terminationProtectionEnabled"),
        )
    ),
    Case(
        "bucket-private",
        (A_BUCKET,),
        breaking(("uniformBucketLevelAccess", False), ("publicAccessPrevention", "inherited")),
    ),
    Case(
        "bucket-recoverable",
        (A_BUCKET,),
        breaking(
            ("versioning.enabled", False),
            ("softDeletePolicy.retentionDurationSeconds", 0),
            ("forceDestroy", True),
        ),
    ),
    Case(
        "redis-available",
        (A_REDIS,),
        breaking(("tier", "BASIC"), ("persistenceConfig", DROP, "persistenceConfig.persistenceMode")),
    ),
    Case(
        "atlas-available", (AN_ATLAS,), breaking((f"{R}.electableSpecs.nodeCount", 1, "replicationSpecs[0]"))
    ),
    Case("atlas-autoscaling-effective", (AN_ATLAS,), breaking(("useEffectiveFields", DROP))),
    Case("allowed-regions", (A_REDIS,), breaking(("region", "us-east1"))),
    Case("allowed-regions", (AN_ATLAS,), breaking((f"{R}.regionName", "US_EAST_4"))),
    Case(
        "allowed-regions",
        (
            ResourceFixture(
                "gcp:secretmanager/secret:Secret",
                {"replication": {"userManaged": {"replicas": [{"location": "europe-west1"}]}}},
            ),
        ),
        breaking(("replication.userManaged.replicas[0].location", "us-east1")),
    ),
    Case("gke-secrets-encrypted", (A_CLUSTER,), breaking(("databaseEncryption.state", "DECRYPTED"))),
    Case("no-primitive-roles", (IAM,), breaking(("role", "roles/editor"), ("role", "roles/writer"))),
    Case(
        "no-primitive-roles",
        (
            ResourceFixture(
                "gcp:projects/iAMPolicy:IAMPolicy", {"policyData": policy("roles/logging.viewer", "user:a")}
            ),
        ),
        breaking(("policyData", policy("roles/owner", "user:a"), "roles/owner is a primitive role")),
    ),
    Case(
        "no-public-members",
        (IAM,),
        breaking(("member", "allUsers"), ("member", "principalSet://iam.googleapis.com/pools/github/*")),
        passes=({"member": "principalSet://iam.googleapis.com/pools/github/attribute.repository/a/b"},),
    ),
    Case(
        "no-public-members",
        (
            ResourceFixture(
                "gcp:storage/bucketIAMPolicy:BucketIAMPolicy", {"policyData": policy("roles/x", "user:a")}
            ),
        ),
        breaking(("policyData", policy("roles/x", "allUsers"), "allUsers includes everyone on the internet")),
    ),
    Case(
        "no-public-members",
        (ResourceFixture("gcp:storage/bucketAccessControl:BucketAccessControl", {"entity": "user-a"}),),
        breaking(("entity", "allUsers")),
    ),
    Case(
        "no-public-members",
        (ResourceFixture("gcp:storage/bucketACL:BucketACL", {"roleEntities": ["OWNER:user-a"]}),),
        breaking(("roleEntities[0]", "READER:allUsers"), ("predefinedAcl", "publicRead")),
    ),
    Case(
        "no-public-members",
        (ResourceFixture("gcp:storage/bucketIAMBinding:BucketIAMBinding", {"members": ["user:a"]}),),
        breaking(("members[0]", "allAuthenticatedUsers")),
    ),
    Case(
        "no-wildcard-permissions",
        (ResourceFixture("kubernetes:rbac.authorization.k8s.io/v1:Role", ROLE),),
        breaking(
            ("rules[0].verbs[0]", "*"),
            ("rules[0].resources[0]", "*"),
            ("rules[0].nonResourceURLs", ["*"], "rules[0].nonResourceURLs[0]"),
        ),
    ),
    Case(
        "no-wildcard-permissions",
        (ResourceFixture("kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding", BINDING),),
        breaking(
            ("roleRef.name", "cluster-admin"),
            ("subjects[0].name", "system:anonymous"),
            ("subjects[0].name", "system:masters"),
        ),
    ),
    Case("workload-identity", (A_CLUSTER,), breaking(("workloadIdentityConfig", DROP, "workloadPool"))),
    Case(
        "workload-identity", (A_POOL,), breaking(("nodeConfig.workloadMetadataConfig.mode", "GCE_METADATA"))
    ),
    Case(
        "node-identity",
        (A_POOL,),
        breaking(
            ("nodeConfig.serviceAccount", DROP),
            ("nodeConfig.serviceAccount", "1-compute@developer.gserviceaccount.com"),
        ),
    ),
    Case(
        "shielded-nodes",
        (A_POOL,),
        breaking(
            ("nodeConfig.shieldedInstanceConfig.enableSecureBoot", False),
            ("nodeConfig.shieldedInstanceConfig.enableIntegrityMonitoring", False),
        ),
    ),
    Case(
        "gke-modern-auth",
        (A_CLUSTER,),
        breaking(
            ("enableLegacyAbac", True),
            ("masterAuth.clientCertificateConfig.issueClientCertificate", True),
        ),
    ),
    Case(
        "federation-conditions",
        (
            ResourceFixture(
                "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider",
                {"attributeCondition": "assertion.repository_owner_id == '1'"},
            ),
        ),
        breaking(("attributeCondition", DROP), ("attributeCondition", "true")),
    ),
    Case(
        "database-least-privilege",
        (
            ResourceFixture(
                "mongodbatlas:index/databaseUser:DatabaseUser", {"roles": [{"roleName": "readWrite"}]}
            ),
        ),
        breaking(("roles[0].roleName", "atlasAdmin")),
    ),
    Case(
        "no-secret-values",
        (ResourceFixture("gcp:compute/instance:Instance", {"metadata": {"startup": "echo hello world"}}),),
        breaking(
            ("metadata.startup", "-----BEGIN RSA PRIVATE KEY-----"),
            ("metadata.startup", "curl https://user:hunter2@example.com"),
        ),
    ),
    Case(
        "alert-thresholds",
        PROMETHEUS,
        (
            Break({QUERY: "100 * sum(rate(errors[5m])) > 50"}, "50 is not the 5 of ALR4 (warning)"),
            Break({"enabled": False}, "enabled: ALR4 (warning) is switched off"),
            Break({QUERY: "100 * sum(rate(errors[5m])) < 5"}, "comparison must be greater-than"),
        ),
    ),
    Case("alert-thresholds", (A_BUCKET,), (Break({}, "no alert for ALR1 warning", become=A_CLUSTER.type),)),
    Case(
        "alert-thresholds",
        ALERTS,
        (
            Break({"conditions[0].conditionThreshold.thresholdValue": 0.85}, "is not the 80 of ALR1"),
            Break(
                {"conditions[0].conditionThreshold.comparison": "COMPARISON_LT"},
                "comparison must be greater-than",
            ),
            Break({"conditions[0].conditionThreshold.thresholdValue": 0.01}, "is not the 1 of ALR3", index=4),
            Break({"userLabels.requirement": "alr1"}, "no alert for ALR2 critical", index=3),
        ),
    ),
)
