"""The Google project: APIs before what they create, no default accounts, and audit logs."""

from __future__ import annotations

import pytest

from infra.project import APIS, api_of
from tests.infra.rehearsal import Declared, configuration

OWN = "gcp:projects/service:Service"


@pytest.mark.parametrize(
    ("type_", "api"),
    [
        ("gcp:compute/network:Network", "compute"),
        ("gcp:container/cluster:Cluster", "container"),
        ("gcp:kms/cryptoKey:CryptoKey", "cloudkms"),
        ("gcp:serviceaccount/account:Account", "iam"),
        ("gcp:projects/iAMMember:IAMMember", "cloudresourcemanager"),
        ("gcp:projects/defaultServiceAccounts:DefaultServiceAccounts", "iam"),
        ("gcp:firebase/project:Project", "firebase"),
        ("gcp:firebase/storageBucket:StorageBucket", "firebasestorage"),
        ("gcp:firebase/appCheckServiceConfig:AppCheckServiceConfig", "firebaseappcheck"),
        ("gcp:recaptcha/enterpriseKey:EnterpriseKey", "recaptchaenterprise"),
        ("mongodbatlas:index/project:Project", None),
        ("kubernetes:core/v1:ConfigMap", None),
    ],
)
def test_each_type_is_created_by_one_api(type_: str, api: str | None) -> None:
    assert api_of(type_) == api


def test_each_google_resource_waits_for_its_api(prod: Declared) -> None:
    services = {
        item.inputs["service"].removesuffix(".googleapis.com"): item.urn
        for item in prod.resources
        if item.type == OWN
    }
    assert services.keys() == set(APIS)
    waiting = 0
    for item in prod.resources:
        api = api_of(item.type)
        if api is None or item.type == OWN or "foundation" in item.urn.rpartition("::")[2]:
            continue
        if item.type.endswith(":ServiceIdentity"):
            api = item.inputs["service"].removesuffix(".googleapis.com")
        assert services[api] in item.dependencies, item.urn
        waiting += 1
    assert waiting > 150


def test_default_accounts_are_disabled_once_every_api_has_created_its_own(declared: Declared) -> None:
    accounts = declared.one("DefaultServiceAccounts")
    assert accounts["action"] == "DISABLE"
    assert accounts["project"] == configuration(declared.stack)["gcp:project"]
    assert {f"Service foundation-{api}" for api in APIS} <= declared.waits_for("DefaultServiceAccounts")


def test_a_removed_stack_leaves_apis_enabled(declared: Declared) -> None:
    services = declared.of(OWN.partition(":")[2])
    assert {service["disableOnDestroy"] for service in services.values()} == {False}
    assert len(services) == len(set(APIS)) == len(APIS)


def test_reads_and_writes_of_data_are_logged_for_all_services(declared: Declared) -> None:
    audit = declared.one("IAMAuditConfig")
    assert audit["service"] == "allServices"
    assert {each["logType"] for each in audit["auditLogConfigs"]} == {"ADMIN_READ", "DATA_READ", "DATA_WRITE"}
    assert not any("exemptedMembers" in each for each in audit["auditLogConfigs"])
