"""Prerequisites of a resource: enabled APIs, service agents, other settings, Firebase apps."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any, Final

from rehearsal.providers.fresh_project.model import CreationPlan, FreshProject, Obstacle
from rehearsal.pulumi.properties import UNKNOWN

_SERVICE: Final = "gcp:projects/service:Service"
_IDENTITY: Final = "gcp:projects/serviceIdentity:ServiceIdentity"
_GOOGLE_APIS: Final = ".googleapis.com"
# APIs by SDK module, where the names differ: the address in `product.go` of each service of
# terraform-provider-google-beta.
_API_OF_MODULE: Final = {
    "activedirectory": "managedidentities", "applicationintegration": "integrations",
    "backupdisasterrecovery": "backupdr", "bigqueryanalyticshub": "analyticshub",
    "bigtable": "bigtableadmin", "billing": "cloudbilling", "certificateauthority": "privateca",
    "cloudbuildv2": "cloudbuild", "clouddomains": "domains", "cloudfunctionsv2": "cloudfunctions",
    "cloudids": "ids", "cloudquota": "cloudquotas", "cloudrun": "run", "cloudrunv2": "run",
    "colab": "aiplatform", "databasemigrationservice": "datamigration", "dataloss": "dlp",
    "diagflow": "dialogflow", "endpoints": "servicemanagement", "filestore": "file",
    "folder": "cloudresourcemanager", "gemini": "cloudaicompanion", "identityplatform": "identitytoolkit",
    "integrationconnectors": "connectors", "kms": "cloudkms", "organizations": "cloudresourcemanager",
    "projects": "cloudresourcemanager", "recaptcha": "recaptchaenterprise",
    "resourcemanager": "cloudresourcemanager", "saasruntime": "saasservicemgmt", "serviceaccount": "iam",
    "sql": "sqladmin", "tags": "cloudresourcemanager", "vertex": "aiplatform", "workbench": "notebooks",
}  # fmt: skip
# APIs by the beginning of a type token, for types that their module's API does not create.
_API_OF_TYPE: Final = {
    "gcp:bigquery/connection": "bigqueryconnection",
    "gcp:bigquery/dataTransferConfig": "bigquerydatatransfer",
    "gcp:billing/budget": "billingbudgets",
    "gcp:container/attachedCluster": "gkemulticloud",
    "gcp:container/aws": "gkemulticloud",
    "gcp:container/azure": "gkemulticloud",
    "gcp:dataproc/metastore": "metastore",
    "gcp:firebase/appCheck": "firebaseappcheck",
    "gcp:firebase/appHosting": "firebaseapphosting",
    "gcp:firebase/databaseInstance": "firebasedatabase",
    "gcp:firebase/dataConnect": "firebasedataconnect",
    "gcp:firebase/extensions": "firebaseextensions",
    "gcp:firebase/hosting": "firebasehosting",
    "gcp:firebase/storageBucket": "firebasestorage",
    "gcp:projects/accessApproval": "accessapproval",
    "gcp:projects/apiKey": "apikeys",
    "gcp:projects/defaultServiceAccounts": "iam",
    "gcp:projects/usageExportBucket": "compute",
    "gcp:pubsub/lite": "pubsublite",
    "gcp:storage/transfer": "storagetransfer",
    _IDENTITY: "serviceusage",
    _SERVICE: "serviceusage",
}
_AGENT: Final = re.compile(r"serviceAccount:service-\d+@([a-z-]+)\.iam\.gserviceaccount\.com")
# Agents that exist as soon as their API is enabled; every other one has to be created by a ServiceIdentity.
# https://cloud.google.com/iam/docs/service-agents
_AGENT_OF_API: Final = {"compute-system": "compute", "container-engine-robot": "container"}
_STORAGE_AGENT: Final = "gs-project-accounts"
# Accounts that Google creates when the API compute is enabled.
_COMPUTE_ACCOUNT: Final = re.compile(
    r"serviceAccount:\d+(-compute@developer|@cloudservices)\.gserviceaccount\.com"
)
_PROJECT: Final = "gcp:organizations/project:Project"
_API_OF_AGENT: Final = {
    "cloud-filer": "file",
    "cloud-redis": "redis",
    "gcf-admin-robot": "cloudfunctions",
    "gcp-sa-cloud-sql": "sqladmin",
    "serverless-robot-prod": "run",
    "service-networking": "servicenetworking",
}
# Types whose creation takes minutes, which is longer than App Check needs to recognize a new app.
_SLOW: Final = frozenset(
    {
        "gcp:container/cluster:Cluster",
        "gcp:container/nodePool:NodePool",
        "gcp:redis/instance:Instance",
        "mongodbatlas:index/advancedCluster:AdvancedCluster",
    }
)


def api_of(type_: str) -> str | None:
    """Return the Google API that creates a resource of a type token, None for other clouds."""
    package, _, rest = type_.partition(":")
    if package != "gcp":
        return None
    for beginning, api in _API_OF_TYPE.items():
        if type_.startswith(beginning):
            return api
    module = rest.partition("/")[0]
    return _API_OF_MODULE.get(module, module)


def apis(project: FreshProject, plan: CreationPlan) -> Iterator[Obstacle]:
    """Yield resources whose API is not enabled before them: it would return 403, `SERVICE_DISABLED`."""
    enabling = {
        str(inputs.get("service")).removesuffix(_GOOGLE_APIS): urn for urn, inputs in plan.of_type(_SERVICE)
    }
    for urn in plan.inputs:
        api = api_of(plan.resources[urn].type)
        if api is None or api in project.enabled:
            continue
        if api not in enabling:
            yield Obstacle(urn, f"the API {api} is disabled in a new project", "Enable it with a Service")
        elif enabling[api] not in plan.before(urn):
            yield Obstacle(
                urn, f"it may be created before the API {api} is enabled", "Make it depend on the Service"
            )


def service_agents(plan: CreationPlan, known: CreationPlan | None = None) -> Iterator[Obstacle]:
    """Yield grants to a service agent that does not exist yet: IAM would return 400, `does not exist`.

    Members that are unknown in `plan` are read from `known`, the same resources after a rehearsed
    deployment, if they contain only the number of a project, which does not create the agent.
    """
    identities = {
        str(inputs.get("service")).removesuffix(_GOOGLE_APIS): urn for urn, inputs in plan.of_type(_IDENTITY)
    }
    services = {
        str(inputs.get("service")).removesuffix(_GOOGLE_APIS): urn for urn, inputs in plan.of_type(_SERVICE)
    }
    for urn, inputs in plan.inputs.items():
        later = known.inputs.get(urn, {}) if known is not None and _of_project(plan, urn) else {}
        for member in dict.fromkeys((*_members(inputs), *_members(later))):
            found = _AGENT.fullmatch(member)
            if found is None:
                if _COMPUTE_ACCOUNT.fullmatch(member) and services.get("compute") not in plan.before(urn):
                    yield Obstacle(
                        urn,
                        f"{member.partition(':')[2]} may not exist before the API compute is enabled",
                        "Make it depend on the Service",
                    )
                continue
            agent, before = found[1], plan.before(urn)
            api = _AGENT_OF_API.get(agent) or _API_OF_AGENT.get(agent) or agent.removeprefix("gcp-sa-")
            created_by = {identities.get(api)} | ({services.get(api)} if agent in _AGENT_OF_API else set())
            if agent == _STORAGE_AGENT:
                # In a plan without a state, a value that is read after the API is enabled is unknown.
                yield Obstacle(
                    urn,
                    "Cloud Storage's service agent does not exist in a new project",
                    "Read it with storage.get_project_service_account, after the API is enabled",
                )
            elif not (created_by - {None}) & before:
                yield Obstacle(
                    urn,
                    f"the service agent {agent} may not exist yet",
                    f"Make it depend on a ServiceIdentity of {api}",
                )


def _of_project(plan: CreationPlan, urn: str) -> bool:
    """Whether the members of a grant depend on projects and on no other resource."""
    found = [
        one
        for name in ("member", "members", "policyData")
        for one in plan.resources[urn].property_dependencies.get(name, ())
    ]
    return bool(found) and all(
        one in plan.resources and plan.resources[one].type == _PROJECT for one in found
    )


def _members(inputs: dict[str, Any]) -> Iterator[str]:
    """Yield the known members of a grant, or of a policy in JSON."""
    members = [inputs.get("member"), *_listed(inputs.get("members"))]
    policy = inputs.get("policyData")
    if isinstance(policy, str) and policy is not UNKNOWN:
        with contextlib.suppress(ValueError):
            bindings = json.loads(policy)
            for binding in _listed(bindings.get("bindings") if isinstance(bindings, dict) else None):
                members += _listed(binding.get("members") if isinstance(binding, dict) else None)
    for value in members:
        if isinstance(value, str) and value is not UNKNOWN:
            yield value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def zone_settings(plan: CreationPlan) -> Iterator[Obstacle]:
    """Yield `webp` if it is set before `polish`: error 1020 (terraform-provider-cloudflare#495).

    A zone that is not known may be that of any other setting.
    """
    settings = list(plan.of_type("cloudflare:index/zoneSetting:ZoneSetting"))
    for urn, inputs in settings:
        if inputs.get("settingId") != "webp" or inputs.get("value") != "on":
            continue
        polished = any(
            other.get("settingId") == "polish"
            and other.get("value") != "off"
            and (UNKNOWN in zones or len(zones) == 1)
            and polish in plan.before(urn)
            for polish, other in settings
            if (zones := {inputs.get("zoneId"), other.get("zoneId")})
        )
        if not polished:
            yield Obstacle(
                urn,
                "Cloudflare refuses webp without polish (error 1020)",
                "Switch polish on, and make webp depend on it",
            )


def app_check(plan: CreationPlan) -> Iterator[Obstacle]:
    """Yield App Check configurations and debug tokens that are created immediately after their app.

    App Check does not recognize a new app for up to 30 seconds; the provider's examples sleep before them
    (`firebase_app_check_play_integrity_config`, `firebase_app_check_debug_token`).
    """
    for urn in plan.inputs:
        type_ = plan.resources[urn].type
        if not type_.startswith("gcp:firebase/appCheck") or not type_.endswith(("Config", "DebugToken")):
            continue
        before = plan.before(urn)
        apps = {one for one in before if re.search(r"gcp:firebase/\w+App:", one)}
        if not apps:
            continue
        meanwhile = before.difference(*(plan.before(app) for app in apps))
        if not any(plan.resources[one].type in _SLOW for one in meanwhile if one in plan.resources):
            yield Obstacle(
                urn,
                "App Check does not recognize an app for the first 30 seconds",
                "Make it depend on something that takes minutes to create",
            )
