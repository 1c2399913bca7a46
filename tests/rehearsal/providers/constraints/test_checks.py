"""Generated mutations: values that the facts forbid are refused, and values that they allow are accepted."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from rehearsal.pulumi.properties import UNKNOWN, Secret, encode
from tests.rehearsal.providers.calls import Calls, urn
from tests.rehearsal.providers.constraints.mutations import Generator, Mutation, invalid, valid
from tests.rehearsal.providers.constraints.stacks import planned

SEED = 20261125
NUMBER = 500


@pytest.fixture(scope="module")
def resources() -> dict[str, list[dict[str, Any]]]:
    """Return the inputs of up to ten resources of each type in prod, in a deterministic order."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for token, inputs in sorted(planned("prod"), key=repr):  # resources are registered concurrently
        if len(found[token]) < 10:
            found[token].append(inputs)
    return found


def chosen(resources: dict[str, list[dict[str, Any]]], generator: Generator) -> list[Mutation]:
    """Return `NUMBER` mutations, evenly distributed over the types."""
    by_type = {
        token: [mutation for item in items for mutation in generator(token, item)]
        for token, items in resources.items()
    }
    rng = random.Random(SEED)
    queues = [rng.sample(found, len(found)) for _, found in sorted(by_type.items()) if found]
    picked: list[Mutation] = []
    while queues and len(picked) < NUMBER:
        picked += [queue.pop() for queue in queues]
        queues = [queue for queue in queues if queue]
    return picked[:NUMBER]


def refusals(mutation: Mutation) -> dict[str, str]:
    """Return the failures of `Check` for a mutation."""
    cloud = Calls.of(mutation.token.partition(":")[0])
    return cloud.check(urn(mutation.token), mutation.inputs).failures


@pytest.mark.timeout(600)
def test_values_that_the_facts_forbid_are_refused(resources: dict[str, list[dict[str, Any]]]) -> None:
    mutations = chosen(resources, invalid)
    assert len(mutations) == NUMBER
    accepted = [str(mutation) for mutation in mutations if not refusals(mutation)]
    assert len(accepted) <= NUMBER * 0.05, accepted


@pytest.mark.timeout(600)
def test_values_that_the_facts_allow_are_accepted(resources: dict[str, list[dict[str, Any]]]) -> None:
    mutations = chosen(resources, valid)
    assert len(mutations) == NUMBER
    refused = {str(mutation): found for mutation in mutations if (found := by_facts(refusals(mutation)))}
    assert not refused


def by_facts(failures: dict[str, str]) -> dict[str, str]:
    """Return the failures by the provider's facts, without those by rules of the API."""
    return {path: reason for path, reason in failures.items() if "API validates this" not in reason}


REDIS = "gcp:redis/instance:Instance"
RULESET = "cloudflare:index/ruleset:Ruleset"
_RULES = {"zoneId": "0" * 32, "name": "rates", "kind": "zone", "phase": "http_request_cache_settings"}


@pytest.mark.parametrize(
    ("token", "inputs", "path", "reason"),
    [
        (REDIS, {"memorySizeGb": 1, "tier": "PREMIUM"}, "tier", "'PREMIUM' is not one of"),
        (REDIS, {"memorySizeGb": 1, "name": "Cache_1"}, "name", "does not match"),
        (REDIS, {"memorySizeGb": 1, "rdbSnapshotPeriod": "x"}, "rdbSnapshotPeriod", "unknown property"),
        (
            "gcp:container/cluster:Cluster",
            {
                "maintenancePolicy": {
                    "recurringWindow": {"startTime": "3 am", "endTime": "x", "recurrence": ""}
                }
            },
            "maintenancePolicy.recurringWindow.startTime",
            "RFC 3339",
        ),
        (
            "gcp:container/cluster:Cluster",
            {"clusterIpv4Cidr": "10.0.0.0/14", "ipAllocationPolicy": {"clusterSecondaryRangeName": "pods"}},
            "ipAllocationPolicy",
            "conflicts with clusterIpv4Cidr",
        ),
        (
            "gcp:projects/iAMMember:IAMMember",
            {"project": "p", "role": "roles/viewer", "member": "me@example.com"},
            "member",
            "a member with its kind",
        ),
        (
            "gcp:secretmanager/secret:Secret",
            {"secretId": "s", "replication": {}},
            "replication",
            "exactly one of",
        ),
        (
            RULESET,
            {
                **_RULES,
                "rules": [{"expression": "true", "action": "block", "actionParameters": {"cache": True}}],
            },
            "rules[0].actionParameters.cache",
            'may be set only where action is "set_cache_settings"',
        ),
        (
            "mongodbatlas:index/projectIpAccessList:ProjectIpAccessList",
            {"projectId": "65f1c0de5ca1ab1e0ddba11c", "ipAddress": "10.0.0.1", "cidrBlock": "10.0.0.0/8"},
            "cidrBlock",
            "conflicts with ipAddress",
        ),
    ],
)
def test_a_violation_names_its_path_and_the_rule(
    token: str, inputs: dict[str, Any], path: str, reason: str
) -> None:
    failures = Calls.of(token.partition(":")[0]).check(urn(token), inputs).failures
    assert reason in failures.get(path, ""), failures


def test_a_reason_names_the_provider_that_validates(gcp: Calls) -> None:
    failures = gcp.check(urn(REDIS), {"memorySizeGb": 1, "tier": "PREMIUM"}).failures
    assert failures["tier"].endswith("(terraform-provider-google-beta validates this)")


def test_a_secret_is_checked_and_never_quoted(gcp: Calls) -> None:
    failures = gcp.check(urn(REDIS), {"memorySizeGb": 1, "tier": Secret("hunter2")}).failures
    assert "tier" in failures
    assert "hunter2" not in failures["tier"]


def test_an_unknown_value_satisfies_every_rule(gcp: Calls) -> None:
    inputs = {"secretId": "s", "replication": {"auto": UNKNOWN, "userManaged": UNKNOWN}}
    assert not gcp.check(urn("gcp:secretmanager/secret:Secret"), inputs).failures


USER: dict[str, Any] = {
    "projectId": "65f1c0de5ca1ab1e0ddba11c",
    "username": "app",
    "authDatabaseName": "admin",
    "password": "a-password",
    "roles": [{"roleName": "readWrite", "databaseName": "kingdom"}],
}
SCOPE = {"name": "a", "type": "CLUSTER"}


@pytest.mark.parametrize(
    ("token", "inputs", "path"),
    [
        ("mongodbatlas:index/databaseUser:DatabaseUser", {**USER, "scopes": [SCOPE, SCOPE]}, "scopes[1]"),
        (
            "mongodbatlas:index/databaseUser:DatabaseUser",
            {**USER, "scopes": [SCOPE, SCOPE | {"name": Secret("a")}]},
            "scopes[1]",
        ),
        ("mongodbatlas:index/databaseUser:DatabaseUser", {**USER, "scopes": [UNKNOWN, UNKNOWN]}, None),
        (
            "mongodbatlas:index/databaseUser:DatabaseUser",
            {**USER, "scopes": [SCOPE | {"name": UNKNOWN}, SCOPE | {"name": UNKNOWN}, SCOPE]},
            None,
        ),
    ],
)
def test_a_set_of_the_plugin_framework_contains_an_item_once(
    token: str, inputs: dict[str, Any], path: str | None
) -> None:
    failures = Calls.of(token.partition(":")[0]).check(urn(token), inputs).failures
    assert set(failures) == ({path} if path else set())


APPLICATION = "cloudflare:index/zeroTrustAccessApplication:ZeroTrustAccessApplication"
_APPLICATION = {"accountId": "0" * 32, "name": "a", "domain": "a.kingdom.studio"}


@pytest.mark.parametrize(
    ("inputs", "path", "reason"),
    [
        ({"type": "saas"}, "saasApp", 'required where type is "saas"'),
        ({"type": "ssh", "bgColor": "#fff"}, "bgColor", 'may be set only where type is "app_launcher"'),
        ({"bgColor": "#fff"}, "bgColor", "may be set only where type is"),
        (
            {"type": "saas", "saasApp": {"authType": "oidc", "spEntityId": "a"}},
            "saasApp.spEntityId",
            'may be set only where authType is "saml" or absent',
        ),
        ({"type": "saas", "saasApp": {"spEntityId": "a"}}, None, ""),
        ({"type": UNKNOWN, "bgColor": "#fff"}, None, ""),
        ({"type": "ssh", "bgColor": UNKNOWN}, None, ""),
    ],
)
def test_property_depends_on_values_of_another_one(
    inputs: dict[str, Any], path: str | None, reason: str
) -> None:
    failures = Calls.of("cloudflare").check(urn(APPLICATION), _APPLICATION | inputs).failures
    assert reason in failures.get(path or "", "")
    assert set(failures) == ({path} if path else set())


def test_rule_of_an_access_group_has_one_property() -> None:
    group = "cloudflare:index/zeroTrustAccessGroup:ZeroTrustAccessGroup"
    everyone: dict[str, Any] = {"everyone": {}}
    rules = [everyone, everyone | {"email": {"email": "a@example.com"}}]
    inputs = {"accountId": "0" * 32, "name": "a", "includes": rules}
    failures = Calls.of("cloudflare").check(urn(group), inputs).failures
    assert list(failures) == ["includes[1]"]
    assert "has 2 properties" in failures["includes[1]"]


def test_scim_is_for_other_identity_providers_than_one_time_pins() -> None:
    provider = "cloudflare:index/zeroTrustAccessIdentityProvider:ZeroTrustAccessIdentityProvider"
    objects: dict[str, Any] = {"config": {}, "scimConfig": {}}
    inputs = {"accountId": "0" * 32, "name": "a", "type": "onetimepin", **objects}
    cloud = Calls.of("cloudflare")
    assert "must not be set" in cloud.check(urn(provider), inputs).failures["scimConfig"]
    assert not cloud.check(urn(provider), inputs | {"type": "github"}).failures


VARY = {
    "default": {"action": "bypass"},
    "headers": {"accept": {"action": "normalize", "mediaTypes": ["a/b"]}},
}


@pytest.mark.parametrize(
    ("action", "parameters", "path"),
    [
        ("skip", {"rules": {"0" * 32: ["1" * 32]}, "rulesets": ["2" * 32]}, None),
        ("skip", {"rules": {"0" * 32: ["one"]}}, f"rules.{'0' * 32}[0]"),
        ("skip", {"rules": {"0" * 32: []}}, f"rules.{'0' * 32}"),
        ("skip", {"rulesets": ["all"]}, "rulesets[0]"),
        ("set_cache_settings", {"vary": VARY}, None),
        (
            "set_cache_settings",
            {"vary": {**VARY, "headers": {"Accept": {"action": "bypass"}}}},
            "vary.headers.Accept",
        ),
        (
            "set_cache_settings",
            {"vary": {**VARY, "headers": {"accept": {"action": "normalize", "mediaTypes": ["é"]}}}},
            "vary.headers.accept.mediaTypes[0]",
        ),
    ],
)
def test_keys_and_items_of_maps_have_rules(action: str, parameters: dict[str, Any], path: str | None) -> None:
    phase = "http_request_cache_settings" if action != "skip" else "http_request_firewall_custom"
    rules = [{"expression": "true", "action": action, "actionParameters": parameters}]
    failures = Calls.of("cloudflare").check(urn(RULESET), _RULES | {"phase": phase, "rules": rules}).failures
    assert set(failures) == ({f"rules[0].actionParameters.{path}"} if path else set())


def test_logging_of_a_rule_is_accepted_where_it_is_enabled() -> None:
    rules = [{"expression": "true", "action": "skip", "logging": {"enabled": True}}]
    assert not Calls.of("cloudflare").check(urn(RULESET), _RULES | {"rules": rules}).failures


LABELLED: list[tuple[str, dict[str, Any], str]] = [
    ("gcp:pubsub/topic:Topic", {"labels": {"Team": "media"}}, "labels.Team"),
    (
        "gcp:container/cluster:Cluster",
        {"initialNodeCount": 1, "resourceLabels": {"version": "v1.2"}},
        "resourceLabels.version",
    ),
    (
        "gcp:container/nodePool:NodePool",
        {"cluster": "c", "nodeConfig": {"resourceLabels": {"a": "B"}, "labels": {"kubernetes.io/Name": "B"}}},
        "nodeConfig.resourceLabels.a",
    ),
    ("gcp:monitoring/customService:CustomService", {"userLabels": {"0": "a"}}, "userLabels.0"),
    (
        "gcp:sql/databaseInstance:DatabaseInstance",
        {"databaseVersion": "POSTGRES_17", "settings": {"tier": "db-f1-micro", "userLabels": {"a": "b c"}}},
        "settings.userLabels.a",
    ),
    ("gcp:pubsub/topic:Topic", {"labels": {f"key-{number}": "" for number in range(65)}}, "labels"),
]


def label_warnings(gcp: Calls, token: str, inputs: dict[str, Any]) -> dict[str, str]:
    request = provider_pb2.CheckRequest(urn=urn(token), news=encode(inputs))
    return {found.path: found.reason for found in gcp.stub.Warnings(request)}


@pytest.mark.parametrize(("token", "inputs", "path"), LABELLED)
def test_a_label_that_googles_apis_refuse_is_accepted_with_a_warning(
    gcp: Calls, token: str, inputs: dict[str, Any], path: str
) -> None:
    assert not gcp.check(urn(token), inputs).failures
    warnings = label_warnings(gcp, token, inputs)
    assert set(warnings) == {path}
    assert warnings[path].endswith("(the Google Cloud API refuses this)")


def test_labels_that_are_unknown_or_secret_are_not_quoted(gcp: Calls) -> None:
    topic = "gcp:pubsub/topic:Topic"
    assert not label_warnings(gcp, topic, {"labels": {"team": UNKNOWN}})
    warnings = label_warnings(gcp, topic, {"labels": {"team": Secret("Hunter2")}})
    assert "labels.team" in warnings
    assert "Hunter2" not in warnings["labels.team"]


def test_the_labels_of_a_notification_channel_are_its_settings(gcp: Calls) -> None:
    inputs = {"type": "email", "labels": {"email_address": "On-Call@example.com"}}
    assert not label_warnings(gcp, "gcp:monitoring/notificationChannel:NotificationChannel", inputs)


# Disagreements with terraform-provider-google-beta that `make providers` found, without the provider.
BACKEND_RULE = {"action": "allow", "priority": 1}
MATCH = {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ["*"]}}
NAT: dict[str, Any] = {
    "router": "r",
    "natIpAllocateOption": "MANUAL_ONLY",
    "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
    "natIps": ["a"],
}


@pytest.mark.parametrize(
    ("token", "inputs", "path"),
    [
        # Only the provider assigns these, although the SDK has them among the inputs.
        (
            REDIS,
            {"memorySizeGb": 1, "maintenancePolicy": {"createTime": "x"}},
            "maintenancePolicy.createTime",
        ),
        (
            "gcp:container/cluster:Cluster",
            {
                "initialNodeCount": 1,
                "masterAuth": {
                    "clientCertificateConfig": {"issueClientCertificate": False},
                    "clientKey": "a",
                },
            },
            "masterAuth.clientKey",
        ),
        # The SDK declares nothing as required below a property that the provider computes.
        (
            "gcp:compute/securityPolicy:SecurityPolicy",
            {"rules": [{**BACKEND_RULE, "match": {**MATCH, "config": {}}}]},
            "rules[0].match.config.srcIpRanges",
        ),
        (
            "gcp:compute/securityPolicy:SecurityPolicy",
            {"rules": [{**BACKEND_RULE, "match": MATCH, "redirectOptions": {}}]},
            "rules[0].redirectOptions.type",
        ),
        (
            "gcp:serviceaccount/account:Account",
            {"accountId": "application", "description": "a" * 257},
            "description",
        ),
        ("gcp:container/cluster:Cluster", {"name": "a" * 41, "initialNodeCount": 1}, "name"),
        ("gcp:container/nodePool:NodePool", {"cluster": "c", "namePrefix": "a" * 32}, "namePrefix"),
        (
            "gcp:container/cluster:Cluster",
            {"removeDefaultNodePool": True, "initialNodeCount": 1, "nodeVersion": "1.33"},
            "nodeVersion",
        ),
        ("gcp:compute/routerNat:RouterNat", {**NAT, "drainNatIps": ["b"]}, "drainNatIps"),
        (
            "gcp:storage/bucket:Bucket",
            {"location": "EU", "labels": {"example.com/a": "b"}},
            'labels["example.com/a"]',
        ),
        (
            "gcp:projects/defaultServiceAccounts:DefaultServiceAccounts",
            {"project": "projects/kingdom", "action": "DELETE"},
            "project",
        ),
        ("gcp:projects/service:Service", {"service": "bigquery-json.googleapis.com"}, "service"),
        # An empty list of values is a value.
        ("gcp:compute/routerNat:RouterNat", {**NAT, "initialNatIps": []}, "initialNatIps"),
    ],
)
def test_inputs_that_the_google_provider_refuses_are_refused(
    gcp: Calls, token: str, inputs: dict[str, Any], path: str
) -> None:
    assert set(gcp.check(urn(token), inputs).failures) == {path}


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        ("gcp:compute/routerNat:RouterNat", NAT),
        ("gcp:compute/securityPolicy:SecurityPolicy", {"rules": [{**BACKEND_RULE, "match": MATCH}]}),
        ("gcp:dns/recordSet:RecordSet", {"name": "a.b.", "managedZone": "z", "type": "A", "rrdatas": []}),
        ("gcp:kms/cryptoKey:CryptoKey", {"keyRing": "k", "rotationPeriod": ""}),
        ("gcp:monitoring/dashboard:Dashboard", {"dashboardJson": ""}),
        (
            "gcp:projects/defaultServiceAccounts:DefaultServiceAccounts",
            {"project": "123456", "action": "DELETE"},
        ),
        # A set has equal items once: one index here, where 20 are allowed.
        (
            "gcp:logging/projectBucketConfig:ProjectBucketConfig",
            {
                "project": "p",
                "location": "global",
                "bucketId": "_Default",
                "indexConfigs": [{"fieldPath": "jsonPayload.a", "type": "INDEX_TYPE_STRING"}] * 21,
            },
        ),
    ],
)
def test_inputs_that_the_google_provider_accepts_are_accepted(
    gcp: Calls, token: str, inputs: dict[str, Any]
) -> None:
    assert not gcp.check(urn(token), inputs).failures


def test_a_service_account_is_named_as_the_bridge_names_it(gcp: Calls) -> None:
    account = urn("gcp:serviceaccount/account:Account", "the-account-of-the-application")
    checked = gcp.check(account, {})
    assert not checked.failures
    name = checked.inputs["accountId"]
    assert len(name) == 30
    assert name.startswith("the-account-of-the-app-")
    assert gcp.check(account, {}, checked.inputs).inputs["accountId"] == name
    assert gcp.check(account, {"accountId": "application"}).inputs["accountId"] == "application"


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        # Newer than the facts: a member of a group that only the SDK knows.
        (
            "gcp:compute/uRLMap:URLMap",
            {"defaultService": "s", "defaultRouteAction": {"imageOptimizationPolicy": {}}},
        ),
        # A property with another name in Terraform.
        ("gcp:bigquery/datasetAccess:DatasetAccess", {"datasetId": "d", "authorizedDataset": UNKNOWN}),
        # Groups that the provider declares without members.
        (
            "gcp:filestore/instance:Instance",
            {
                "location": "us-central1-b",
                "tier": "BASIC_HDD",
                "fileShares": {"name": "share", "capacityGb": 1024},
                "networks": [{"network": "default", "modes": ["MODE_IPV4"]}],
            },
        ),
        (
            "gcp:firestore/field:Field",
            {"collection": "c", "field": "f", "indexConfig": {"indexes": [{"order": "ASCENDING"}]}},
        ),
        ("gcp:storage/bucket:Bucket", {"location": "US-CENTRAL1", "storageClass": "RAPID"}),
    ],
)
def test_valid_inputs_of_rare_kinds_are_accepted(gcp: Calls, token: str, inputs: dict[str, Any]) -> None:
    assert not gcp.check(urn(token), inputs).failures
