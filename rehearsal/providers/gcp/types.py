"""Formats of the ids of Google Cloud resources, by type token.

Source: the templates of `ReplaceVars` and `SetId` in hashicorp/terraform-provider-google, August 2026, and
for Firebase in terraform-provider-google-beta.

`{number}` is the project's number; `{digits}`, `{hex}`, `{uuid}`, `{version}` and `{appId}` stand for values
that the cloud assigns; other placeholders are inputs.
"""

from __future__ import annotations

from typing import Final

ID_TEMPLATES: Final[dict[str, str]] = {
    "gcp:artifactregistry/repository:Repository": (
        "projects/{project}/locations/{location}/repositories/{repositoryId}"
    ),
    "gcp:billing/budget:Budget": "billingAccounts/{billingAccount}/budgets/{uuid}",
    "gcp:certificatemanager/certificate:Certificate": (
        "projects/{project}/locations/{location}/certificates/{name}"
    ),
    "gcp:certificatemanager/certificateMap:CertificateMap": (
        "projects/{project}/locations/global/certificateMaps/{name}"
    ),
    "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry": (
        "projects/{project}/locations/global/certificateMaps/{map}/certificateMapEntries/{name}"
    ),
    "gcp:certificatemanager/dnsAuthorization:DnsAuthorization": (
        "projects/{project}/locations/{location}/dnsAuthorizations/{name}"
    ),
    "gcp:certificatemanager/trustConfig:TrustConfig": (
        "projects/{project}/locations/{location}/trustConfigs/{name}"
    ),
    "gcp:compute/address:Address": "projects/{project}/regions/{region}/addresses/{name}",
    "gcp:compute/firewall:Firewall": "projects/{project}/global/firewalls/{name}",
    "gcp:compute/forwardingRule:ForwardingRule": "projects/{project}/regions/{region}/forwardingRules/{name}",
    "gcp:compute/globalAddress:GlobalAddress": "projects/{project}/global/addresses/{name}",
    "gcp:compute/network:Network": "projects/{project}/global/networks/{name}",
    "gcp:compute/route:Route": "projects/{project}/global/routes/{name}",
    "gcp:compute/router:Router": "projects/{project}/regions/{region}/routers/{name}",
    "gcp:compute/routerNat:RouterNat": "{project}/{region}/{router}/{name}",
    "gcp:compute/sSLPolicy:SSLPolicy": "projects/{project}/global/sslPolicies/{name}",
    "gcp:compute/securityPolicy:SecurityPolicy": "projects/{project}/global/securityPolicies/{name}",
    "gcp:compute/subnetwork:Subnetwork": "projects/{project}/regions/{region}/subnetworks/{name}",
    "gcp:container/cluster:Cluster": "projects/{project}/locations/{location}/clusters/{name}",
    "gcp:container/nodePool:NodePool": (
        "projects/{project}/locations/{location}/clusters/{cluster}/nodePools/{name}"
    ),
    "gcp:dns/managedZone:ManagedZone": "projects/{project}/managedZones/{name}",
    "gcp:dns/recordSet:RecordSet": "projects/{project}/managedZones/{managedZone}/rrsets/{name}/{type}",
    "gcp:firebase/androidApp:AndroidApp": "projects/{project}/androidApps/{appId}",
    "gcp:firebase/appCheckAppAttestConfig:AppCheckAppAttestConfig": (
        "projects/{project}/apps/{appId}/appAttestConfig"
    ),
    "gcp:firebase/appCheckDeviceCheckConfig:AppCheckDeviceCheckConfig": (
        "projects/{project}/apps/{appId}/deviceCheckConfig"
    ),
    "gcp:firebase/appCheckPlayIntegrityConfig:AppCheckPlayIntegrityConfig": (
        "projects/{project}/apps/{appId}/playIntegrityConfig"
    ),
    "gcp:firebase/appCheckRecaptchaEnterpriseConfig:AppCheckRecaptchaEnterpriseConfig": (
        "projects/{project}/apps/{appId}/recaptchaEnterpriseConfig"
    ),
    "gcp:firebase/appCheckServiceConfig:AppCheckServiceConfig": "projects/{project}/services/{serviceId}",
    "gcp:firebase/appleApp:AppleApp": "projects/{project}/iosApps/{appId}",
    "gcp:firebase/project:Project": "projects/{project}",
    "gcp:firebase/storageBucket:StorageBucket": "projects/{project}/buckets/{bucketId}",
    "gcp:firebase/webApp:WebApp": "projects/{project}/webApps/{appId}",
    "gcp:firebaserules/release:Release": "projects/{project}/releases/{name}",
    "gcp:firebaserules/ruleset:Ruleset": "projects/{project}/rulesets/{uuid}",
    "gcp:gkebackup/backupPlan:BackupPlan": "projects/{project}/locations/{location}/backupPlans/{name}",
    "gcp:gkebackup/restorePlan:RestorePlan": "projects/{project}/locations/{location}/restorePlans/{name}",
    "gcp:iam/workloadIdentityPool:WorkloadIdentityPool": (
        "projects/{project}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}"
    ),
    "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider": (
        "projects/{project}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}/"
        "providers/{workloadIdentityPoolProviderId}"
    ),
    "gcp:kms/cryptoKey:CryptoKey": "{keyRing}/cryptoKeys/{name}",
    "gcp:kms/keyRing:KeyRing": "projects/{project}/locations/{location}/keyRings/{name}",
    "gcp:logging/metric:Metric": "{name}",
    "gcp:logging/projectBucketConfig:ProjectBucketConfig": (
        "projects/{project}/locations/{location}/buckets/{bucketId}"
    ),
    "gcp:logging/projectSink:ProjectSink": "projects/{project}/sinks/{name}",
    "gcp:monitoring/alertPolicy:AlertPolicy": "projects/{project}/alertPolicies/{digits}",
    "gcp:monitoring/customService:CustomService": "projects/{number}/services/{serviceId}",
    "gcp:monitoring/dashboard:Dashboard": "projects/{number}/dashboards/{uuid}",
    "gcp:monitoring/genericService:GenericService": "projects/{project}/services/{serviceId}",
    "gcp:monitoring/notificationChannel:NotificationChannel": (
        "projects/{project}/notificationChannels/{digits}"
    ),
    "gcp:monitoring/slo:Slo": "projects/{number}/services/{service}/serviceLevelObjectives/{sloId}",
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig": "projects/{project}/uptimeCheckConfigs/{hex}",
    "gcp:organizations/project:Project": "projects/{projectId}",
    "gcp:projects/iAMCustomRole:IAMCustomRole": "projects/{project}/roles/{roleId}",
    "gcp:projects/service:Service": "{project}/{service}",
    "gcp:pubsub/subscription:Subscription": "projects/{project}/subscriptions/{name}",
    "gcp:pubsub/topic:Topic": "projects/{project}/topics/{name}",
    "gcp:redis/cluster:Cluster": "projects/{project}/locations/{region}/clusters/{name}",
    "gcp:redis/instance:Instance": "projects/{project}/locations/{region}/instances/{name}",
    "gcp:secretmanager/secret:Secret": "projects/{project}/secrets/{secretId}",
    "gcp:secretmanager/secretVersion:SecretVersion": "{secret}/versions/{version}",
    "gcp:serviceaccount/account:Account": (
        "projects/{project}/serviceAccounts/{accountId}@{project}.iam.gserviceaccount.com"
    ),
    "gcp:serviceaccount/key:Key": "{serviceAccountId}/keys/{hex}",
    "gcp:servicenetworking/connection:Connection": "{network}:{service}",
    "gcp:servicenetworking/peeredDnsDomain:PeeredDnsDomain": (
        "services/{service}/projects/{number}/global/networks/{network}/peeredDnsDomains/{name}"
    ),
    "gcp:storage/bucket:Bucket": "{name}",
    "gcp:storage/bucketObject:BucketObject": "{bucket}-{name}",
}
