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


def service_agents(plan: CreationPlan) -> Iterator[Obstacle]:
    """Yield grants to a service agent that does not exist yet: IAM would return 400, `does not exist`."""
    identities = {
        str(inputs.get("service")).removesuffix(_GOOGLE_APIS): urn for urn, inputs in plan.of_type(_IDENTITY)
    }
    services = {
        str(inputs.get("service")).removesuffix(_GOOGLE_APIS): urn for urn, inputs in plan.of_type(_SERVICE)
    }
    for urn, inputs in plan.inputs.items():
        for member in _members(inputs):
            found = _AGENT.fullmatch(member)
            if found is None:
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
    """Yield `webp` if it is set before `polish`: error 1020 (terraform-provider-cloudflare#495)."""
    settings = {
        inputs.get("settingId"): (urn, inputs)
        for urn, inputs in plan.of_type("cloudflare:index/zoneSetting:ZoneSetting")
    }
    if "webp" not in settings or settings["webp"][1].get("value") != "on":
        return
    polish = settings.get("polish")
    if polish is None or polish[1].get("value") == "off" or polish[0] not in plan.before(settings["webp"][0]):
        yield Obstacle(
            settings["webp"][0],
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
