"""MongoDB Atlas.

Which properties only a new resource can change is measured from the provider: see
`rehearsal/providers/constraints`. The forms of connection strings are those of the Atlas documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from rehearsal.providers import diff, fake_values
from rehearsal.providers.autonaming import Preference, autoname
from rehearsal.providers.base import Cloud, Function
from rehearsal.providers.outputs import Place

_IDENTITY: Final = diff.patterns("projectId", "orgId")


class Atlas(Cloud):
    package: ClassVar[str] = "mongodbatlas"

    def fixed(self, token: str) -> frozenset[diff.Pattern]:
        return _IDENTITY

    def named(
        self,
        urn: str,
        token: str,
        inputs: dict[str, Any],
        olds: Mapping[str, Any],
        preferred: Preference | None,
    ) -> dict[str, Any]:
        return autoname(self, urn, token, inputs, olds, preferred=preferred)

    def identify(self, urn: str, token: str, inputs: Mapping[str, Any]) -> str:
        return fake_values.hexadecimal(24, self.seed(urn, token, inputs))

    def curated(self, token: str, id_: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        match _kind(token):
            case "AdvancedCluster":
                return _cluster(id_, inputs)
            case "X509AuthenticationDatabaseUser":
                subject = str(inputs.get("username") or "").removeprefix("CN=")
                # A preview has no id, and its value is not used.
                certificate = fake_values.client_certificate(subject, id_) if id_ else ""
                issued = {
                    "createdAt": fake_values.moment(id_),
                    "groupId": str(inputs.get("projectId") or ""),
                    "id": fake_values.number(1, 2**31, id_),
                    "notAfter": "2036-01-01T00:00:00Z",
                    "subject": f"CN={subject}",
                }
                return {"currentCertificate": certificate, "certificates": [issued]}
            case "ProjectIpAccessList":
                address, block = inputs.get("ipAddress"), inputs.get("cidrBlock")
                return {
                    "cidrBlock": block or (f"{address}/32" if address else None),
                    "ipAddress": address or (str(block).split("/")[0] if block else None),
                }
            case "PrivateLinkEndpoint":
                return _private_link(id_, inputs)
            case "CloudBackupSchedule":
                return {
                    "clusterId": fake_values.hexadecimal(24, id_),
                    "idPolicy": fake_values.hexadecimal(24, id_, "p"),
                }
            case "AlertConfiguration":
                return {"alertConfigurationId": id_}
            case "NetworkContainer":
                return {"containerId": id_}
            case "CloudProviderAccessSetup" if inputs.get("providerName") == "GCP":
                account = f"mongodb-atlas-{fake_values.hexadecimal(16, id_)}"
                email = f"{account}@p-{fake_values.hexadecimal(24, id_)}.iam.gserviceaccount.com"
                return {
                    "roleId": fake_values.hexadecimal(24, id_, "role"),
                    "gcpConfigs": [{"serviceAccountForAtlas": email, "status": "COMPLETE"}],
                }
            case "Project":
                return {"clusterCount": 0, "regionUsageRestrictions": "NONE"}
            case _:
                return {}

    def refuse_delete(self, token: str, inputs: Mapping[str, Any]) -> str | None:
        if inputs.get("terminationProtectionEnabled") is True:
            return (
                "terminationProtectionEnabled is set: Atlas does not delete this cluster."
                " Set it to false, run an update, and then delete"
            )
        return None

    def as_declared(self, token: str, outputs: dict[str, Any]) -> dict[str, Any]:
        if _kind(token) == "X509AuthenticationDatabaseUser" and "certificate" in outputs:
            outputs = {"currentCertificate": outputs["certificate"]}
        return super().as_declared(token, outputs)

    functions: ClassVar[Mapping[str, Function]] = {
        "mongodbatlas:index/getControlPlaneIpAddresses:getControlPlaneIpAddresses": lambda args, place: {
            "id": "control-plane",
            "inbound": {"gcps": []},
            "outbound": {"gcps": []},
        },
        "mongodbatlas:index/getProject:getProject": lambda args, place: _project(args, place),
        "mongodbatlas:index/getRolesOrgId:getRolesOrgId": lambda args, place: {
            "id": fake_values.hexadecimal(24, "organization"),
            "orgId": fake_values.hexadecimal(24, "organization"),
        },
    }


def _kind(token: str) -> str:
    return token.rsplit(":", 1)[-1]


def _cluster(id_: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    name = str(inputs.get("name") or "cluster").lower()
    label = fake_values.hexadecimal(5, str(inputs.get("projectId")))
    members = ",".join(f"{name}-shard-00-{at:02}.{label}.mongodb.net:27017" for at in range(3))
    replica_set = f"atlas-{fake_values.hexadecimal(6, id_)}-shard-0"
    options = f"ssl=true&authSource=admin&replicaSet={replica_set}"
    private = f"{name}-shard-00-pl-0.{label}.mongodb.net"
    endpoint = {
        "connectionString": f"mongodb://pl-0-{label}.mongodb.net:1024/?{options}",
        "srvConnectionString": f"mongodb+srv://{name}-pl-0.{label}.mongodb.net",
        "srvShardOptimizedConnectionString": "",
        "type": "MONGOD",
        "endpoints": [
            {"endpointId": private, "providerName": "GCP", "region": _region(inputs)},
        ],
    }
    version = str(inputs.get("mongoDbMajorVersion") or "8.0")
    return {
        "clusterId": id_,
        "replicationSpecs": [
            {**spec, "zoneId": fake_values.hexadecimal(24, id_, str(number)), "zoneName": f"Zone {number}"}
            for number, spec in enumerate(inputs.get("replicationSpecs") or (), 1)
        ],
        "connectionStrings": {
            "standard": f"mongodb://{members}/?{options}",
            "standardSrv": f"mongodb+srv://{name}.{label}.mongodb.net",
            "private": "",
            "privateSrv": f"mongodb+srv://{name}-pri.{label}.mongodb.net",
            "privateEndpoints": [endpoint],
        },
        "createDate": fake_values.moment(id_),
        "mongoDbMajorVersion": version,
        "mongoDbVersion": f"{version}.12",
        "stateName": "IDLE",
        "versionReleaseSystem": inputs.get("versionReleaseSystem") or "LTS",
        "rootCertType": inputs.get("rootCertType") or "ISRGROOTX1",
        "encryptionAtRestProvider": inputs.get("encryptionAtRestProvider") or "NONE",
    }


def _region(inputs: Mapping[str, Any]) -> str:
    try:
        return str(inputs["replicationSpecs"][0]["regionConfigs"][0]["regionName"])
    except (KeyError, IndexError, TypeError):
        return ""


def _private_link(id_: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    region = str(inputs.get("region") or "").lower()
    project = f"p-{fake_values.hexadecimal(24, id_)}"
    attachment = f"projects/{project}/regions/{region}/serviceAttachments/sa-{region}-{id_}"
    return {
        "privateLinkId": id_,
        "endpointServiceName": f"com.mongodb.{fake_values.hexadecimal(12, id_)}",
        "serviceAttachmentNames": [attachment],
        "regionName": inputs.get("region"),
        "status": "AVAILABLE",
    }


def _project(args: dict[str, Any], place: Place) -> dict[str, Any]:
    name = str(args.get("name") or "kingdom")
    id_ = str(args.get("projectId") or fake_values.hexadecimal(24, "project", name))
    return {
        "id": id_,
        "projectId": id_,
        "name": name,
        "orgId": fake_values.hexadecimal(24, "organization"),
        "created": fake_values.moment(id_),
        "clusterCount": 0,
        "tags": {},
        "teams": [],
        "limits": [],
        "users": [],
        "ipAddresses": {"services": {"clusters": []}},
    }
