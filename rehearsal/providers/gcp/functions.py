"""Google Cloud's functions: client configuration, zones, versions, service agents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rehearsal.providers.base import Function
from rehearsal.providers.gcp.outputs import number_of
from rehearsal.providers.outputs import Place

_CHANNELS: Final = {
    "EXTENDED": "1.33.9-gke.1060000",
    "STABLE": "1.34.5-gke.1222000",
    "REGULAR": "1.35.3-gke.1389000",
    "RAPID": "1.36.0-gke.1512000",
}


def _project(args: dict[str, Any], place: Place) -> str:
    return str(args.get("project") or args.get("projectId") or place.project)


def client_config(args: dict[str, Any], place: Place) -> dict[str, Any]:
    return {
        "id": f"projects/{place.project}/regions/{place.region}/zones/{place.zone}",
        "project": place.project,
        "region": place.region,
        "zone": place.zone,
        "accessToken": "rehearsal",
        "defaultLabels": {},
    }


def client_open_id(args: dict[str, Any], place: Place) -> dict[str, Any]:
    email = f"rehearsal@{place.project}.iam.gserviceaccount.com"
    return {"id": email, "email": email}


def project(args: dict[str, Any], place: Place) -> dict[str, Any]:
    name = _project(args, place)
    return {
        "id": f"projects/{name}",
        "projectId": name,
        "name": name,
        "number": number_of(name),
        "orgId": number_of("organization"),
        "folderId": "",
        "billingAccount": "012345-6789AB-CDEF01",
        "labels": {},
        "effectiveLabels": {},
        "pulumiLabels": {},
        "tags": {},
        "autoCreateNetwork": False,
        "deletionPolicy": "PREVENT",
    }


def projects(args: dict[str, Any], place: Place) -> dict[str, Any]:
    found = {"projectId": place.project, "name": place.project, "number": number_of(place.project)}
    return {"id": str(args.get("filter")), "filter": args.get("filter"), "projects": [found]}


def zones(args: dict[str, Any], place: Place) -> dict[str, Any]:
    region = str(args.get("region") or place.region)
    return {
        "id": f"projects/{_project(args, place)}/regions/{region}",
        "project": _project(args, place),
        "region": region,
        "names": [f"{region}-{letter}" for letter in "bcd"],
        "status": args.get("status"),
    }


def regions(args: dict[str, Any], place: Place) -> dict[str, Any]:
    return {
        "id": f"projects/{_project(args, place)}",
        "project": _project(args, place),
        "names": [place.region],
    }


def engine_versions(args: dict[str, Any], place: Place) -> dict[str, Any]:
    prefix = str(args.get("versionPrefix") or "")
    versions = sorted((one for one in _CHANNELS.values() if one.startswith(prefix)), reverse=True)
    newest = versions[0] if versions else ""
    return {
        "id": str(args.get("location") or place.region),
        "project": _project(args, place),
        "location": args.get("location") or place.region,
        "versionPrefix": args.get("versionPrefix"),
        "defaultClusterVersion": _CHANNELS["REGULAR"],
        "latestMasterVersion": newest,
        "latestNodeVersion": newest,
        "validMasterVersions": versions,
        "validNodeVersions": versions,
        "releaseChannelDefaultVersion": dict(_CHANNELS),
        "releaseChannelLatestVersion": dict(_CHANNELS),
        "releaseChannelUpgradeTargetVersion": dict(_CHANNELS),
    }


def _agent(domain: str, prefix: str = "service-") -> Function:
    def agent(args: dict[str, Any], place: Place) -> dict[str, Any]:
        name = _project(args, place)
        email = f"{prefix}{number_of(name)}@{domain}"
        return {
            "id": email,
            "project": name,
            "emailAddress": email,
            "email": email,
            "member": f"serviceAccount:{email}",
        }

    return agent


def service_account(args: dict[str, Any], place: Place) -> dict[str, Any]:
    account = str(args.get("accountId"))
    email = account if "@" in account else f"{account}@{_project(args, place)}.iam.gserviceaccount.com"
    name = f"projects/{_project(args, place)}/serviceAccounts/{email}"
    return {
        "id": name,
        "name": name,
        "accountId": account,
        "email": email,
        "member": f"serviceAccount:{email}",
        "uniqueId": number_of(email),
        "displayName": "",
        "disabled": False,
        "project": _project(args, place),
    }


def ip_ranges(args: dict[str, Any], place: Place) -> dict[str, Any]:
    # https://cloud.google.com/load-balancing/docs/health-checks#firewall_rules
    probes = ["35.191.0.0/16", "130.211.0.0/22"]
    return {
        "id": "ip_ranges",
        "networks": probes,
        "https": probes,
        "httpSslTcpInternals": probes,
        "requiredVpcNetworks": probes,
    }


FUNCTIONS: Final[Mapping[str, Function]] = {
    "gcp:compute/getDefaultServiceAccount:getDefaultServiceAccount": _agent(
        "developer.gserviceaccount.com", ""
    ),
    "gcp:compute/getLBIPRanges:getLBIPRanges": ip_ranges,
    "gcp:compute/getRegions:getRegions": regions,
    "gcp:compute/getZones:getZones": zones,
    "gcp:container/getEngineVersions:getEngineVersions": engine_versions,
    "gcp:organizations/getClientConfig:getClientConfig": client_config,
    "gcp:organizations/getClientOpenIdUserInfo:getClientOpenIdUserInfo": client_open_id,
    "gcp:organizations/getProject:getProject": project,
    "gcp:projects/getProject:getProject": projects,
    "gcp:serviceaccount/getAccount:getAccount": service_account,
    "gcp:storage/getProjectServiceAccount:getProjectServiceAccount": _agent(
        "gs-project-accounts.iam.gserviceaccount.com"
    ),
    "gcp:storage/getTransferProjectServiceAccount:getTransferProjectServiceAccount": _agent(
        "storage-transfer-service.iam.gserviceaccount.com", "project-"
    ),
}
