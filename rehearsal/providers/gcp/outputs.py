"""Values that Google Cloud assigns: addresses, endpoints, numbers and names in the formats of its APIs."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from rehearsal.providers import fake_values
from rehearsal.providers.outputs import Place

Make = Callable[[str, Mapping[str, Any], Place], dict[str, Any]]

# Public addresses are from the benchmarking range (RFC 2544), which is not routed on the internet.
_PUBLIC: Final = "198.18.0.0/15"
# Addresses of managed services are from a range that typical address plans do not use.
_MANAGED: Final = "10.192.0.0/10"


def number_of(project: str) -> str:
    """Return the number of a project: twelve digits derived from its id."""
    return fake_values.digits(12, "project", project)


def email_of(inputs: Mapping[str, Any], project: str) -> str:
    return f"{inputs.get('accountId')}@{project}.iam.gserviceaccount.com"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _object(inputs: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = inputs.get(name)
    return dict(value) if isinstance(value, Mapping) else {}


def address(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    external = inputs.get("addressType", "EXTERNAL") == "EXTERNAL"
    prefix = inputs.get("prefixLength")
    if inputs.get("purpose") == "VPC_PEERING" and isinstance(prefix, int):
        found = fake_values.subnet(_MANAGED, prefix, id_).split("/")[0]
    else:
        found = fake_values.address(_PUBLIC if external else _MANAGED, id_)
    return {
        "address": inputs.get("address") or found,
        "addressType": inputs.get("addressType") or "EXTERNAL",
        "networkTier": "PREMIUM",
        "prefixLength": prefix if isinstance(prefix, int) else 0,
        "users": list[Any](),
    }


def network(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    number = fake_values.digits(19, id_)
    return {"networkId": number, "numericId": number, "gatewayIpv4": ""}


def subnetwork(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    outputs: dict[str, Any] = {"purpose": inputs.get("purpose") or "PRIVATE", "stackType": "IPV4_ONLY"}
    with suppress(ValueError, IndexError):  # a malformed range, which the API would refuse
        outputs["gatewayAddress"] = str(ipaddress.ip_network(_text(inputs.get("ipCidrRange")))[1])
    return outputs


def forwarding_rule(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    return {
        "ipAddress": inputs.get("ipAddress") or fake_values.address(_MANAGED, id_),
        "pscConnectionId": fake_values.digits(17, id_),
        "pscConnectionStatus": "ACCEPTED",
        "forwardingRuleId": int(fake_values.digits(15, id_)),
    }


def cluster(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    where = _text(inputs.get("location")) or place.region
    number = number_of(place.project)
    endpoints = _object(inputs, "controlPlaneEndpointsConfig")
    dns = f"gke-{fake_values.hexadecimal(32, id_)}-{number}.{where}.gke.goog"
    private = fake_values.address("172.16.0.0/12", id_)
    authority = {
        "clientCertificate": "",
        "clientKey": "",
        "clusterCaCertificate": fake_values.certificate_base64(),
    }
    return {
        "endpoint": private,
        "controlPlaneEndpointsConfig": endpoints
        | {"dnsEndpointConfig": {**_object(endpoints, "dnsEndpointConfig"), "endpoint": dns}},
        "masterAuth": {
            "clientCertificateConfig": {"issueClientCertificate": False},
            **_object(inputs, "masterAuth"),
            **authority,
        },
        "privateClusterConfig": {
            **_object(inputs, "privateClusterConfig"),
            "privateEndpoint": private,
            "publicEndpoint": fake_values.address(_PUBLIC, id_),
        },
        "masterVersion": "1.35.3-gke.1389000",
        "nodeVersion": "1.35.3-gke.1389000",
        "nodeLocations": inputs.get("nodeLocations") or [f"{where}-{zone}" for zone in "bcd"],
        "selfLink": f"https://container.googleapis.com/v1/{id_}",
        "clusterIpv4Cidr": inputs.get("clusterIpv4Cidr") or fake_values.subnet("10.0.0.0/8", 14, id_, "pods"),
        "servicesIpv4Cidr": fake_values.subnet("10.0.0.0/8", 20, id_, "services"),
        "defaultMaxPodsPerNode": inputs.get("defaultMaxPodsPerNode") or 110,
        "operation": "",
    }


def node_pool(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    where = _text(inputs.get("location")) or place.region
    groups = [
        f"https://www.googleapis.com/compute/v1/projects/{place.project}/zones/{where}-{zone}/"
        f"instanceGroupManagers/gke-{fake_values.hexadecimal(8, id_, zone)}"
        for zone in "bcd"
    ]
    return {
        "instanceGroupUrls": groups,
        "managedInstanceGroupUrls": [group.replace("Managers", "s") for group in groups],
        "maxPodsPerNode": inputs.get("maxPodsPerNode") or 110,
        "nodeLocations": inputs.get("nodeLocations") or [f"{where}-{zone}" for zone in "bcd"],
        "version": "1.35.3-gke.1389000",
        "nodeCount": inputs.get("nodeCount") or inputs.get("initialNodeCount") or 1,
        "operation": "",
    }


def redis(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    tls = inputs.get("transitEncryptionMode") == "SERVER_AUTHENTICATION"
    zone = _text(inputs.get("locationId")) or f"{place.region}-b"
    agent = f"{number_of(place.project)}-compute@developer.gserviceaccount.com"
    readable = inputs.get("readReplicasMode") == "READ_REPLICAS_ENABLED"
    outputs: dict[str, Any] = {
        "host": fake_values.address(_MANAGED, id_),
        "port": 6378 if tls else 6379,
        "readEndpoint": fake_values.address(_MANAGED, id_, "read") if readable else "",
        "readEndpointPort": (6378 if tls else 6379) if readable else 0,
        "authString": fake_values.uuid(id_, "auth") if inputs.get("authEnabled") else "",
        "serverCaCerts": list[Any](),
        "currentLocationId": zone,
        "locationId": zone,
        "nodes": [{"id": "node-0", "zone": zone}],
        "redisVersion": inputs.get("redisVersion") or "REDIS_7_2",
        "persistenceIamIdentity": f"serviceAccount:{agent}",
        "effectiveReservedIpRange": fake_values.subnet(_MANAGED, 29, id_),
        "maintenanceSchedules": list[Any](),
        "replicaCount": inputs.get("replicaCount") or (1 if inputs.get("tier") == "STANDARD_HA" else 0),
    }
    if tls:
        outputs["serverCaCerts"] = [
            {
                "cert": fake_values.CERTIFICATE,
                "createTime": fake_values.moment(id_),
                "expireTime": "2036-01-01T00:00:00Z",
                "serialNumber": "1",
                "sha1Fingerprint": fake_values.hexadecimal(40, id_),
            }
        ]
    return outputs


def bucket(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    return {
        "selfLink": f"https://www.googleapis.com/storage/v1/b/{id_}",
        "url": f"gs://{id_}",
        "projectNumber": int(number_of(place.project)),
        "timeCreated": fake_values.moment(id_),
        "updated": fake_values.moment(id_),
    }


def bucket_object(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    path = f"{inputs.get('bucket')}/o/{inputs.get('name')}"
    return {
        "selfLink": f"https://www.googleapis.com/storage/v1/b/{path}",
        "outputName": inputs.get("name"),
        "mediaLink": f"https://storage.googleapis.com/download/storage/v1/b/{path}?alt=media",
        "generation": int(fake_values.digits(15, id_)),
    }


def service_account(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    return {"uniqueId": fake_values.digits(21, id_)}


def service_account_key(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    return {
        "name": id_,
        "privateKey": fake_values.encoded(32, id_, "key"),
        "publicKey": fake_values.certificate_base64(),
    }


def secret(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    return {
        "name": f"projects/{number_of(place.project)}/secrets/{inputs.get('secretId')}",
        "createTime": fake_values.moment(id_),
    }


def secret_version(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    path, _, version = id_.rpartition("/versions/")
    name = path.rpartition("/")[2]
    project = path.split("/")[1] if path.startswith("projects/") else place.project
    return {
        "name": f"projects/{number_of(project)}/secrets/{name}/versions/{version}",
        "version": version,
        "createTime": fake_values.moment(id_),
        "enabled": inputs.get("enabled", True),
    }


def dns_authorization(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    proof = f"{fake_values.uuid(id_)}.{fake_values.number(1, 19, id_)}.authorize.certificatemanager.goog."
    record = {"name": f"_acme-challenge.{inputs.get('domain')}.", "type": "CNAME", "data": proof}
    return {"dnsResourceRecords": [record], "type": inputs.get("type") or "FIXED_RECORD"}


def certificate(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    managed = _object(inputs, "managed")
    outputs: dict[str, Any] = {"sanDnsnames": managed.get("domains") or []}
    if managed:
        outputs["managed"] = {
            **managed,
            "state": "ACTIVE",
            "provisioningIssues": list[Any](),
            "authorizationAttemptInfos": list[Any](),
        }
    return outputs


def certificate_map(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    return {"gclbTargets": list[Any]()}


def firebase_project(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    return {"projectNumber": number_of(place.project), "displayName": place.project}


def firebase_app(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    return {"appId": id_.rpartition("/")[2], "name": id_, "appUrls": list[Any]()}


def named_by_id(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Return the outputs of a type whose `name` is its full resource name, which is also its id."""
    return {"name": id_}


def numbered(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Return the outputs of a type whose `name` is its full resource name with the project's number."""
    return {"name": id_.replace(f"projects/{place.project}/", f"projects/{number_of(place.project)}/", 1)}


def uptime_check(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    return {"name": id_, "uptimeCheckId": id_.rpartition("/")[2]}


def repository(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    name, where = inputs.get("repositoryId"), _text(inputs.get("location")) or place.region
    return {"name": name, "registryUri": f"{where}-docker.pkg.dev/{place.project}/{name}"}


def crypto_key(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    return {"primaries": [{"name": f"{id_}/cryptoKeyVersions/1", "state": "ENABLED"}]}


def project(id_: str, inputs: Mapping[str, Any], place: Place) -> dict[str, Any]:
    return {"number": number_of(_text(inputs.get("projectId")))}


CURATED: Final[dict[str, Make]] = {
    "gcp:artifactregistry/repository:Repository": repository,
    "gcp:certificatemanager/certificate:Certificate": certificate,
    "gcp:certificatemanager/certificateMap:CertificateMap": certificate_map,
    "gcp:certificatemanager/dnsAuthorization:DnsAuthorization": dns_authorization,
    "gcp:compute/address:Address": address,
    "gcp:compute/forwardingRule:ForwardingRule": forwarding_rule,
    "gcp:compute/globalAddress:GlobalAddress": address,
    "gcp:compute/network:Network": network,
    "gcp:compute/subnetwork:Subnetwork": subnetwork,
    "gcp:container/cluster:Cluster": cluster,
    "gcp:container/nodePool:NodePool": node_pool,
    "gcp:firebase/androidApp:AndroidApp": firebase_app,
    "gcp:firebase/appleApp:AppleApp": firebase_app,
    "gcp:firebase/project:Project": firebase_project,
    "gcp:firebase/storageBucket:StorageBucket": named_by_id,
    "gcp:firebase/webApp:WebApp": firebase_app,
    "gcp:firebaserules/ruleset:Ruleset": named_by_id,
    "gcp:iam/workloadIdentityPool:WorkloadIdentityPool": numbered,
    "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider": numbered,
    "gcp:kms/cryptoKey:CryptoKey": crypto_key,
    "gcp:monitoring/alertPolicy:AlertPolicy": named_by_id,
    "gcp:monitoring/customService:CustomService": named_by_id,
    "gcp:monitoring/genericService:GenericService": numbered,
    "gcp:monitoring/notificationChannel:NotificationChannel": named_by_id,
    "gcp:monitoring/slo:Slo": named_by_id,
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig": uptime_check,
    "gcp:organizations/project:Project": project,
    "gcp:redis/instance:Instance": redis,
    "gcp:secretmanager/secret:Secret": secret,
    "gcp:secretmanager/secretVersion:SecretVersion": secret_version,
    "gcp:serviceaccount/account:Account": service_account,
    "gcp:serviceaccount/key:Key": service_account_key,
    "gcp:storage/bucket:Bucket": bucket,
    "gcp:storage/bucketObject:BucketObject": bucket_object,
}
