"""Google Cloud types: how their ids are written, and which properties only a new resource can change.

Facts read in the Terraform provider (hashicorp/terraform-provider-google, August 2026): the id templates of
`ReplaceVars` and `SetId`, and `ForceNew` of the schemas in `google/services/*/resource_*.go` and
`google/services/container/node_config.go`. The Firebase types are those of its beta twin. What a
`CustomizeDiff` forces (a shrinking subnet, say) is not in a schema and not here.

`{number}` is the project's number; `{digits}`, `{hex}`, `{uuid}`, `{version}` and `{appId}` are what the
cloud assigns.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Known(NamedTuple):
    """The id's template and the fixed properties, as paths separated by spaces."""

    id: str
    fixed: str


TYPES: Final[dict[str, Known]] = {
    "gcp:artifactregistry/repository:Repository": Known(
        "projects/{project}/locations/{location}/repositories/{repositoryId}",
        (
            "format kmsKeyName location mavenConfig.allowSnapshotOverwrites mavenConfig.versionPolicy "
            "mode project remoteRepositoryConfig repositoryId"
        ),
    ),
    "gcp:billing/budget:Budget": Known(
        "billingAccounts/{billingAccount}/budgets/{uuid}",
        "billingAccount",
    ),
    "gcp:certificatemanager/certificate:Certificate": Known(
        "projects/{project}/locations/{location}/certificates/{name}",
        "location managed name project scope",
    ),
    "gcp:certificatemanager/certificateMap:CertificateMap": Known(
        "projects/{project}/locations/global/certificateMaps/{name}",
        "name project",
    ),
    "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry": Known(
        "projects/{project}/locations/global/certificateMaps/{map}/certificateMapEntries/{name}",
        "hostname map matcher name project",
    ),
    "gcp:certificatemanager/dnsAuthorization:DnsAuthorization": Known(
        "projects/{project}/locations/{location}/dnsAuthorizations/{name}",
        "domain location name project type",
    ),
    "gcp:certificatemanager/trustConfig:TrustConfig": Known(
        "projects/{project}/locations/{location}/trustConfigs/{name}",
        "location name project",
    ),
    "gcp:compute/address:Address": Known(
        "projects/{project}/regions/{region}/addresses/{name}",
        (
            "address addressType description ipCollection ipVersion ipv6EndpointType name network "
            "networkTier prefixLength project purpose region subnetwork"
        ),
    ),
    "gcp:compute/firewall:Firewall": Known(
        "projects/{project}/global/firewalls/{name}",
        "direction name params project",
    ),
    "gcp:compute/forwardingRule:ForwardingRule": Known(
        "projects/{project}/regions/{region}/forwardingRules/{name}",
        (
            "allPorts backendService description ipAddress ipCollection ipProtocol ipVersion "
            "isMirroringCollector loadBalancingScheme name network networkTier noAutomateDnsZone "
            "portRange ports project region serviceDirectoryRegistrations serviceLabel sourceIpRanges "
            "subnetwork"
        ),
    ),
    "gcp:compute/globalAddress:GlobalAddress": Known(
        "projects/{project}/global/addresses/{name}",
        "address addressType description ipVersion name network prefixLength project purpose",
    ),
    "gcp:compute/network:Network": Known(
        "projects/{project}/global/networks/{name}",
        "autoCreateSubnetworks description internalIpv6Range name networkProfile params project",
    ),
    "gcp:compute/route:Route": Known(
        "projects/{project}/global/routes/{name}",
        (
            "description destRange name network nextHopGateway nextHopIlb nextHopInstance "
            "nextHopInstanceZone nextHopIp nextHopVpnTunnel params priority project tags"
        ),
    ),
    "gcp:compute/router:Router": Known(
        "projects/{project}/regions/{region}/routers/{name}",
        "encryptedInterconnectRouter name nccGateway network params project region",
    ),
    "gcp:compute/routerNat:RouterNat": Known(
        "{project}/{region}/{router}/{name}",
        "endpointTypes initialNatIps name project region router type",
    ),
    "gcp:compute/sSLPolicy:SSLPolicy": Known(
        "projects/{project}/global/sslPolicies/{name}",
        "description name project",
    ),
    "gcp:compute/securityPolicy:SecurityPolicy": Known(
        "projects/{project}/global/securityPolicies/{name}",
        "name project type",
    ),
    "gcp:compute/subnetwork:Subnetwork": Known(
        "projects/{project}/regions/{region}/subnetworks/{name}",
        (
            "description externalIpv6Prefix internalIpv6Prefix name network params project region "
            "reservedInternalRange resolveSubnetMask"
        ),
    ),
    "gcp:container/cluster:Cluster": Known(
        "projects/{project}/locations/{location}/clusters/{name}",
        (
            "clusterAutoscaling.autoProvisioningDefaults.bootDiskKmsKey clusterIpv4Cidr "
            "confidentialNodes datapathProvider dataplaneOptimizationMode defaultMaxPodsPerNode "
            "description enableAutopilot enableKubernetesAlpha enableTpu initialNodeCount "
            "ipAllocationPolicy location masterAuth.clientCertificateConfig name network "
            "networkingMode nodeConfig.advancedMachineFeatures nodeConfig.bootDiskKmsKey "
            "nodeConfig.confidentialNodes.confidentialInstanceType "
            "nodeConfig.enableConfidentialStorage nodeConfig.ephemeralStorageLocalSsdConfig "
            "nodeConfig.flexStart nodeConfig.guestAccelerators nodeConfig.hostMaintenancePolicy "
            "nodeConfig.localNvmeSsdBlockConfig nodeConfig.localSsdCount "
            "nodeConfig.localSsdEncryptionMode nodeConfig.maxRunDuration nodeConfig.metadata "
            "nodeConfig.minCpuPlatform nodeConfig.nodeGroup nodeConfig.oauthScopes "
            "nodeConfig.preemptible nodeConfig.reservationAffinity nodeConfig.sandboxConfig "
            "nodeConfig.secondaryBootDisks nodeConfig.serviceAccount "
            "nodeConfig.shieldedInstanceConfig nodeConfig.soleTenantConfig nodeConfig.spot nodePools "
            "privateClusterConfig.masterIpv4CidrBlock privateClusterConfig.privateEndpointSubnetwork "
            "project subnetwork userManagedKeysConfig.aggregationCa userManagedKeysConfig.clusterCa "
            "userManagedKeysConfig.etcdApiCa userManagedKeysConfig.etcdPeerCa"
        ),
    ),
    "gcp:container/nodePool:NodePool": Known(
        "projects/{project}/locations/{location}/clusters/{cluster}/nodePools/{name}",
        (
            "cluster initialNodeCount location maxPodsPerNode name namePrefix "
            "networkConfig.acceleratorNetworkProfile networkConfig.additionalNodeNetworkConfigs "
            "networkConfig.additionalPodNetworkConfigs networkConfig.createPodRange "
            "networkConfig.podCidrOverprovisionConfig networkConfig.podIpv4CidrBlock "
            "networkConfig.podRange networkConfig.subnetwork nodeConfig.advancedMachineFeatures "
            "nodeConfig.bootDiskKmsKey nodeConfig.confidentialNodes.confidentialInstanceType "
            "nodeConfig.enableConfidentialStorage nodeConfig.ephemeralStorageLocalSsdConfig "
            "nodeConfig.flexStart nodeConfig.guestAccelerators nodeConfig.hostMaintenancePolicy "
            "nodeConfig.localNvmeSsdBlockConfig nodeConfig.localSsdCount "
            "nodeConfig.localSsdEncryptionMode nodeConfig.maxRunDuration nodeConfig.metadata "
            "nodeConfig.minCpuPlatform nodeConfig.nodeGroup nodeConfig.oauthScopes "
            "nodeConfig.preemptible nodeConfig.reservationAffinity nodeConfig.sandboxConfig "
            "nodeConfig.secondaryBootDisks nodeConfig.serviceAccount "
            "nodeConfig.shieldedInstanceConfig nodeConfig.soleTenantConfig nodeConfig.spot "
            "placementPolicy project queuedProvisioning"
        ),
    ),
    "gcp:dns/managedZone:ManagedZone": Known(
        "projects/{project}/managedZones/{name}",
        "dnsName name project visibility",
    ),
    "gcp:dns/recordSet:RecordSet": Known(
        "projects/{project}/managedZones/{managedZone}/rrsets/{name}/{type}",
        "managedZone name project routingPolicy.healthCheck",
    ),
    "gcp:firebase/androidApp:AndroidApp": Known(
        "projects/{project}/androidApps/{appId}",
        "project",
    ),
    "gcp:firebase/appCheckAppAttestConfig:AppCheckAppAttestConfig": Known(
        "projects/{project}/apps/{appId}/appAttestConfig",
        "appId project",
    ),
    "gcp:firebase/appCheckDeviceCheckConfig:AppCheckDeviceCheckConfig": Known(
        "projects/{project}/apps/{appId}/deviceCheckConfig",
        "appId project",
    ),
    "gcp:firebase/appCheckPlayIntegrityConfig:AppCheckPlayIntegrityConfig": Known(
        "projects/{project}/apps/{appId}/playIntegrityConfig",
        "appId project",
    ),
    "gcp:firebase/appCheckRecaptchaEnterpriseConfig:AppCheckRecaptchaEnterpriseConfig": Known(
        "projects/{project}/apps/{appId}/recaptchaEnterpriseConfig",
        "appId project",
    ),
    "gcp:firebase/appCheckServiceConfig:AppCheckServiceConfig": Known(
        "projects/{project}/services/{serviceId}",
        "project serviceId",
    ),
    "gcp:firebase/appleApp:AppleApp": Known(
        "projects/{project}/iosApps/{appId}",
        "project",
    ),
    "gcp:firebase/project:Project": Known(
        "projects/{project}",
        "project",
    ),
    "gcp:firebase/storageBucket:StorageBucket": Known(
        "projects/{project}/buckets/{bucketId}",
        "bucketId project",
    ),
    "gcp:firebase/webApp:WebApp": Known(
        "projects/{project}/webApps/{appId}",
        "project",
    ),
    "gcp:firebaserules/release:Release": Known(
        "projects/{project}/releases/{name}",
        "name project rulesetName",
    ),
    "gcp:firebaserules/ruleset:Ruleset": Known(
        "projects/{project}/rulesets/{uuid}",
        "project source",
    ),
    "gcp:gkebackup/backupPlan:BackupPlan": Known(
        "projects/{project}/locations/{location}/backupPlans/{name}",
        "cluster location name project",
    ),
    "gcp:gkebackup/restorePlan:RestorePlan": Known(
        "projects/{project}/locations/{location}/restorePlans/{name}",
        "backupPlan cluster location name project",
    ),
    "gcp:iam/workloadIdentityPool:WorkloadIdentityPool": Known(
        "projects/{project}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}",
        "project workloadIdentityPoolId",
    ),
    "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider": Known(
        "projects/{project}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}/providers/{workloadIdentityPoolProviderId}",
        "project workloadIdentityPoolId workloadIdentityPoolProviderId",
    ),
    "gcp:kms/cryptoKey:CryptoKey": Known(
        "{keyRing}/cryptoKeys/{name}",
        (
            "cryptoKeyBackend destroyScheduledDuration importOnly keyRing name purpose "
            "versionTemplate.protectionLevel"
        ),
    ),
    "gcp:kms/keyRing:KeyRing": Known(
        "projects/{project}/locations/{location}/keyRings/{name}",
        "location name project",
    ),
    "gcp:logging/metric:Metric": Known(
        "{name}",
        "project",
    ),
    "gcp:logging/projectBucketConfig:ProjectBucketConfig": Known(
        "projects/{project}/locations/{location}/buckets/{bucketId}",
        "bucketId location project",
    ),
    "gcp:logging/projectSink:ProjectSink": Known(
        "projects/{project}/sinks/{name}",
        "",
    ),
    "gcp:monitoring/alertPolicy:AlertPolicy": Known(
        "projects/{project}/alertPolicies/{digits}",
        "project",
    ),
    "gcp:monitoring/customService:CustomService": Known(
        "projects/{number}/services/{serviceId}",
        "project serviceId",
    ),
    "gcp:monitoring/dashboard:Dashboard": Known(
        "projects/{number}/dashboards/{uuid}",
        "project",
    ),
    "gcp:monitoring/genericService:GenericService": Known(
        "projects/{project}/services/{serviceId}",
        "basicService project serviceId",
    ),
    "gcp:monitoring/notificationChannel:NotificationChannel": Known(
        "projects/{project}/notificationChannels/{digits}",
        "project",
    ),
    "gcp:monitoring/slo:Slo": Known(
        "projects/{number}/services/{service}/serviceLevelObjectives/{sloId}",
        "project service sloId",
    ),
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig": Known(
        "projects/{project}/uptimeCheckConfigs/{hex}",
        ("checkerType httpCheck.requestMethod monitoredResource project resourceGroup syntheticMonitor"),
    ),
    "gcp:organizations/project:Project": Known(
        "projects/{projectId}",
        "projectId",
    ),
    "gcp:projects/iAMCustomRole:IAMCustomRole": Known(
        "projects/{project}/roles/{roleId}",
        "project roleId",
    ),
    "gcp:projects/service:Service": Known(
        "{project}/{service}",
        "project service",
    ),
    "gcp:pubsub/subscription:Subscription": Known(
        "projects/{project}/subscriptions/{name}",
        "enableMessageOrdering filter name project tags topic",
    ),
    "gcp:pubsub/topic:Topic": Known(
        "projects/{project}/topics/{name}",
        "name project tags",
    ),
    "gcp:redis/cluster:Cluster": Known(
        "projects/{project}/locations/{region}/clusters/{name}",
        (
            "authorizationMode gcsSource managedBackupSource name project region "
            "transitEncryptionMode zoneDistributionConfig"
        ),
    ),
    "gcp:redis/instance:Instance": Known(
        "projects/{project}/locations/{region}/instances/{name}",
        (
            "alternativeLocationId authorizedNetwork connectMode customerManagedKey locationId name "
            "project region reservedIpRange tier transitEncryptionMode"
        ),
    ),
    "gcp:secretmanager/secret:Secret": Known(
        "projects/{project}/secrets/{secretId}",
        "project replication secretId tags",
    ),
    "gcp:secretmanager/secretVersion:SecretVersion": Known(
        "{secret}/versions/{version}",
        "isSecretDataBase64 project secret secretData secretDataWoVersion",
    ),
    "gcp:serviceaccount/account:Account": Known(
        "projects/{project}/serviceAccounts/{accountId}@{project}.iam.gserviceaccount.com",
        "accountId project",
    ),
    "gcp:serviceaccount/key:Key": Known(
        "{serviceAccountId}/keys/{hex}",
        "keepers keyAlgorithm privateKeyType publicKeyData publicKeyType serviceAccountId",
    ),
    "gcp:servicenetworking/connection:Connection": Known(
        "{network}:{service}",
        "network service",
    ),
    "gcp:servicenetworking/peeredDnsDomain:PeeredDnsDomain": Known(
        "services/{service}/projects/{number}/global/networks/{network}/peeredDnsDomains/{name}",
        "dnsSuffix name network project service",
    ),
    "gcp:storage/bucket:Bucket": Known(
        "{name}",
        (
            "customPlacementConfig.dataLocations enableObjectRetention hierarchicalNamespace location "
            "name project"
        ),
    ),
    "gcp:storage/bucketObject:BucketObject": Known(
        "{bucket}-{name}",
        (
            "bucket cacheControl contentDisposition contentEncoding contentLanguage contentType "
            "customerEncryption.encryptionAlgorithm customerEncryption.encryptionKey "
            "forceEmptyContentType kmsKeyName metadata name source storageClass"
        ),
    ),
}
