"""Prerequisites of a resource: enabled APIs, service agents, other settings, Firebase apps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from rehearsal.providers.fresh_project.model import CreationPlan, FreshProject, Obstacle
from rehearsal.pulumi.properties import UNKNOWN

_SERVICE: Final = "gcp:projects/service:Service"
_IDENTITY: Final = "gcp:projects/serviceIdentity:ServiceIdentity"
_GOOGLE_APIS: Final = ".googleapis.com"
# APIs by SDK module, where the names differ.
_API_OF_MODULE: Final = {
    "folder": "cloudresourcemanager",
    "kms": "cloudkms",
    "organizations": "cloudresourcemanager",
    "projects": "cloudresourcemanager",
    "recaptcha": "recaptchaenterprise",
    "serviceaccount": "iam",
}
_API_OF_TYPE: Final = {
    "gcp:firebase/storageBucket:StorageBucket": "firebasestorage",
    "gcp:projects/defaultServiceAccounts:DefaultServiceAccounts": "iam",
    _IDENTITY: "serviceusage",
    _SERVICE: "serviceusage",
}
_AGENT: Final = re.compile(r"serviceAccount:service-\d+@([a-z-]+)\.iam\.gserviceaccount\.com")
# Agents that exist as soon as their API is enabled; every other one has to be created by a ServiceIdentity.
# https://cloud.google.com/iam/docs/service-agents
_AGENT_OF_API: Final = {"compute-system": "compute", "container-engine-robot": "container"}
_STORAGE_AGENT: Final = "gs-project-accounts"
_API_OF_AGENT: Final = {"cloud-redis": "redis"}
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
    if type_ in _API_OF_TYPE:
        return _API_OF_TYPE[type_]
    module, _, member = rest.partition("/")
    if module == "firebase" and member.startswith("appCheck"):
        return "firebaseappcheck"
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
                # In a plan from nothing a value that was read after the API is enabled is not known yet.
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
    for value in (inputs.get("member"), *(inputs.get("members") or ())):
        if isinstance(value, str) and value is not UNKNOWN:
            yield value


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
    """Yield App Check configurations that are created immediately after their app.

    App Check does not recognize a new app for up to 30 seconds; the provider's examples sleep before the
    configuration (`firebase_app_check_play_integrity_config`).
    """
    for urn in plan.inputs:
        type_ = plan.resources[urn].type
        if not type_.startswith("gcp:firebase/appCheck") or not type_.endswith("Config"):
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
