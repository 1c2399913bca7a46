"""Rows about Google Cloud, Atlas and Cloudflare."""

from __future__ import annotations

from policies.testing import DROP
from tests.policies.program import Row, planted

CLUSTER, POOL = "Cluster/cluster", "NodePool/cluster-on-demand"
ATLAS, REDIS, BUCKET = "AdvancedCluster/database", "Instance/cache", "Bucket/storage"
GRANT = "IAMMember/cluster-nodes-node"
REGION = "replicationSpecs[0].regionConfigs[0]"

ROWS = (
    Row("monthly-cost-ceiling", REDIS, {"memorySizeGb": 300}, on="SecurityPolicy/origin"),
    Row("tls-redis", REDIS, {"transitEncryptionMode": "DISABLED"}),
    Row("tls-atlas", ATLAS, {"advancedConfiguration.minimumEnabledTlsProtocol": "TLS1_0"}),
    Row("tls-edge-setting", "ZoneSetting/edge-tls-1-3", {"value": "off"}),
    Row("tls-hsts", "ZoneSetting/edge-security-header", {"value.strict_transport_security.max_age": 60}),
    Row("tls-edge", "ZoneSetting/edge-always-use-https", gone=True, on="LoadBalancer/edge-balancer"),
    Row("tls-gateway-policy", "SSLPolicy/origin", {"minTlsVersion": "TLS_1_0"}),
    Row("tls-load-balancer", "LoadBalancerMonitor/edge-balancer", {"allowInsecure": True}),
    Row("tls-uptime-check", "UptimeCheckConfig/observability", {"httpCheck.validateSsl": False}),
    Row("tls-bucket-origins", BUCKET, {"cors[0].origins[0]": "http://app.kingdom.studio"}),
    Row("private-nodes", POOL, {"networkConfig.enablePrivateNodes": False}),
    Row(
        "private-control-plane",
        CLUSTER,
        {
            "masterAuthorizedNetworksConfig": {"cidrBlocks": [{"cidrBlock": "0.0.0.0/0"}]},
        },
    ),
    Row("private-nodes-have-nat", "RouterNat/network-nat", gone=True, on=CLUSTER),
    Row("network-policy-enforced", CLUSTER, {"datapathProvider": "LEGACY_DATAPATH"}),
    Row("firewall-open", "Firewall/network-deny", {"denies": DROP, "allows": [{"protocol": "tcp"}]}),
    planted(
        "atlas-access",
        "mongodbatlas:index/projectIpAccessList:ProjectIpAccessList",
        {"cidrBlock": "0.0.0.0/0"},
    ),
    planted(
        "origin-hidden",
        "cloudflare:index/dnsRecord:DnsRecord",
        {
            "zoneId": "023e105f4ecef8ad9ca31a8372d0c353",
            "name": "direct.kingdom.studio",
            "type": "A",
            "proxied": False,
        },
    ),
    Row("atlas-backup", ATLAS, {"retainBackupsEnabled": False}),
    Row("atlas-point-in-time", ATLAS, {"pitEnabled": False}),
    Row(
        "atlas-backup-schedule",
        "CloudBackupSchedule/database-backup",
        {"policyItemDaily.retentionValue": 1},
    ),
    Row("deletion-protection", REDIS, {"deletionProtection": False}),
    Row("bucket-private", BUCKET, {"publicAccessPrevention": "inherited"}),
    Row("bucket-recoverable", BUCKET, {"versioning.enabled": False}),
    Row("redis-available", REDIS, {"persistenceConfig.persistenceMode": "DISABLED"}),
    Row("atlas-available", ATLAS, {f"{REGION}.electableSpecs.nodeCount": 1}),
    Row("atlas-autoscaling-effective", ATLAS, {"useEffectiveFields": False}),
    Row("allowed-regions", BUCKET, {"location": "US"}),
    Row("gke-secrets-encrypted", CLUSTER, {"databaseEncryption.state": "DECRYPTED"}),
    planted("no-service-account-keys", "gcp:serviceaccount/key:Key", {"serviceAccountId": "kingdom-api"}),
    Row("no-primitive-roles", GRANT, {"role": "roles/editor"}),
    Row("no-public-members", "BucketIAMMember/identity-api-media", {"member": "allUsers"}),
    Row("workload-identity", POOL, {"nodeConfig.workloadMetadataConfig.mode": "GCE_METADATA"}),
    Row("node-identity", POOL, {"nodeConfig.serviceAccount": "1-compute@developer.gserviceaccount.com"}),
    Row("shielded-nodes", POOL, {"nodeConfig.shieldedInstanceConfig.enableSecureBoot": False}),
    Row("gke-modern-auth", CLUSTER, {"enableLegacyAbac": True}),
    Row(
        "federation-conditions", "WorkloadIdentityPoolProvider/delivery-deployer", {"attributeCondition": ""}
    ),
    Row("database-least-privilege", "DatabaseUser/database-service", {"roles[0].roleName": "atlasAdmin"}),
    Row(
        "no-secret-values",
        "Account/identity-api",
        {"description": "-----BEGIN RSA PRIVATE KEY-----"},
    ),
    Row(
        "alert-thresholds",
        "AlertPolicy/observability-alr4-warning",
        {"conditions[0].conditionPrometheusQueryLanguage.query": "sum(rate(errors[5m])) > 50"},
    ),
)
