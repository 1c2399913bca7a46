"""Order of creation in a new project."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from rehearsal.engine.state import ResourceState
from rehearsal.providers.fresh_project.model import FreshProject
from rehearsal.providers.fresh_project.order import api_of, apis, app_check, service_agents, zone_settings
from rehearsal.pulumi.properties import UNKNOWN
from tests.rehearsal.providers.fresh_project.test_model import plan_of, resource

SERVICE, IDENTITY = "gcp:projects/service:Service", "gcp:projects/serviceIdentity:ServiceIdentity"
POLICY = "gcp:kms/cryptoKeyIAMPolicy:CryptoKeyIAMPolicy"
MEMBER, REDIS = "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember", "gcp:redis/instance:Instance"
SETTING = "cloudflare:index/zoneSetting:ZoneSetting"
APP, CHECK = (
    "gcp:firebase/androidApp:AndroidApp",
    "gcp:firebase/appCheckPlayIntegrityConfig:AppCheckPlayIntegrityConfig",
)


def after(item: ResourceState, *others: ResourceState) -> ResourceState:
    return replace(item, dependencies=tuple(other.urn for other in others))


def service(name: str) -> ResourceState:
    return resource(name, type_=SERVICE, inputs={"service": f"{name}.googleapis.com"})


def agent(name: str) -> ResourceState:
    member = f"serviceAccount:service-123@{name}.iam.gserviceaccount.com"
    return resource("grant", type_=MEMBER, inputs={"member": member})


@pytest.mark.parametrize(
    ("type_", "api"),
    [
        (REDIS, "redis"),
        ("gcp:kms/keyRing:KeyRing", "cloudkms"),
        ("gcp:firebase/storageBucket:StorageBucket", "firebasestorage"),
        (CHECK, "firebaseappcheck"),
        (APP, "firebase"),
        (SERVICE, "serviceusage"),
        ("gcp:sql/databaseInstance:DatabaseInstance", "sqladmin"),
        ("gcp:cloudrunv2/service:Service", "run"),
        ("gcp:projects/apiKey:ApiKey", "apikeys"),
        ("gcp:dns/managedZone:ManagedZone", "dns"),
        ("cloudflare:index/zone:Zone", None),
    ],
)
def test_api_that_creates_a_type(type_: str, api: str | None) -> None:
    assert api_of(type_) == api


def test_api_must_be_enabled_before_its_resources() -> None:
    enabled, cache = service("redis"), resource("cache", type_=REDIS)

    def found(*resources: ResourceState, project: FreshProject | None = None) -> list[str]:
        return [item.what for item in apis(project or FreshProject(), plan_of(*resources))]

    assert found(cache) == ["the API redis is disabled in a new project"]
    assert found(enabled, cache) == ["it may be created before the API redis is enabled"]
    assert found(enabled, after(cache, enabled)) == []
    assert found(cache, project=FreshProject(enabled=frozenset({"redis"}))) == []


def test_service_agent_must_exist_before_a_grant() -> None:
    identity = resource("identity", type_=IDENTITY, inputs={"service": "redis.googleapis.com"})
    grant = agent("cloud-redis")

    def found(*resources: ResourceState) -> int:
        return len(list(service_agents(plan_of(*resources))))

    assert found(grant) == found(identity, grant) == 1
    assert found(identity, after(grant, identity)) == 0
    assert found(service("redis"), after(grant, service("redis"))) == 1


def test_agent_of_compute_exists_as_soon_as_its_api_is_enabled() -> None:
    grant = agent("compute-system")
    assert list(service_agents(plan_of(service("compute"), after(grant, service("compute"))))) == []
    [found] = service_agents(plan_of(service("compute"), grant))
    assert "compute-system may not exist yet" in found.what


def test_agent_of_storage_must_be_read() -> None:
    enabled = service("storage")
    [found] = service_agents(plan_of(enabled, after(agent("gs-project-accounts"), enabled)))
    assert "get_project_service_account" in found.remedy


def test_agents_in_a_policy_are_found() -> None:
    grant = agent("cloud-redis")
    members = [grant.inputs["member"], "user:a@example.com"]
    policy = {"policyData": json.dumps({"bindings": [{"role": "roles/viewer", "members": members}]})}
    found = list(service_agents(plan_of(resource("grant", type_=POLICY, inputs=policy))))
    assert [item.what for item in found] == [item.what for item in service_agents(plan_of(grant))]


@pytest.mark.parametrize(
    "inputs",
    [
        {"member": UNKNOWN}, {"members": ["user:a"]}, {"members": UNKNOWN}, {}, {"member": "allUsers"},
        {"policyData": UNKNOWN}, {"policyData": "{"}, {"policyData": "[]"}, {"policyData": '{"bindings": 1}'},
    ],
)  # fmt: skip
def test_other_members_are_not_agents(inputs: dict[str, Any]) -> None:
    assert list(service_agents(plan_of(resource("grant", type_=MEMBER, inputs=inputs)))) == []


def test_number_of_a_project_alone_does_not_create_an_agent() -> None:
    project = resource("project", type_="gcp:organizations/project:Project")
    sink = resource("sink", type_="gcp:logging/projectSink:ProjectSink")
    grant = agent("cloud-redis")

    def found(*sources: ResourceState) -> int:
        unknown = replace(
            grant,
            inputs={"member": UNKNOWN},
            property_dependencies={"member": tuple(source.urn for source in sources)},
        )
        return len(list(service_agents(plan_of(*sources, unknown), plan_of(*sources, grant))))

    assert found(project) == 1
    assert found(sink) == found(project, sink) == found() == 0


@pytest.mark.parametrize("account", ["123-compute@developer", "123@cloudservices"])
def test_accounts_of_compute_exist_after_its_api_is_enabled(account: str) -> None:
    member = f"serviceAccount:{account}.gserviceaccount.com"
    grant = resource("grant", type_=MEMBER, inputs={"member": member})
    [found] = service_agents(plan_of(service("compute"), grant))
    assert "may not exist before the API compute is enabled" in found.what
    assert list(service_agents(plan_of(service("compute"), after(grant, service("compute"))))) == []


def test_webp_needs_polish_before_it() -> None:
    def setting(name: str, value: str) -> ResourceState:
        return resource(name, type_=SETTING, inputs={"settingId": name, "value": value})

    def found(*resources: ResourceState) -> int:
        return len(list(zone_settings(plan_of(*resources))))

    polish, off, webp = setting("polish", "lossless"), setting("polish", "off"), setting("webp", "on")
    assert found(polish, after(webp, polish)) == 0
    assert found(webp) == found(polish, webp) == found(off, after(webp, off)) == 1
    assert found(setting("webp", "off")) == found(polish) == 0

    def of_zone(item: ResourceState, zone: Any) -> ResourceState:
        return replace(item, inputs={**item.inputs, "zoneId": zone})

    here, unknown = of_zone(webp, "a"), of_zone(polish, UNKNOWN)
    assert found(of_zone(polish, "a"), after(here, polish)) == found(unknown, after(here, polish)) == 0
    assert found(of_zone(polish, "b"), after(here, polish)) == 1


def test_app_check_waits_for_something_slow_after_its_app() -> None:
    app, check = resource("app", type_=APP), resource("check", type_=CHECK)
    slow = resource("cache", type_=REDIS)

    def found(*resources: ResourceState) -> int:
        return len(list(app_check(plan_of(*resources))))

    token = resource("token", type_="gcp:firebase/appCheckDebugToken:AppCheckDebugToken")
    assert found(app, after(check, app)) == found(app, after(token, app)) == 1
    assert found(app, slow, after(check, app, slow)) == 0
    assert found(slow, after(app, slow), after(check, app)) == 1
    assert found(check) == 0
