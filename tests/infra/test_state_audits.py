"""Four audits of the whole rehearsed state, each of which detects a planted violation."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rehearsal.engine.state.resource_state import ResourceState, to_json
from rehearsal.engine.state.secrets import Crypter
from rehearsal.providers.schema import resource_type
from rehearsal.pulumi.properties import unwrap
from tests.infra.audits.addresses import DOORS, unmeant_addresses
from tests.infra.audits.finding import Finding, is_of_a_cloud
from tests.infra.audits.hardening import Rule, hardening, unhardened
from tests.infra.audits.labels import OTHERWISE, unlabelled
from tests.infra.audits.paths import ABSENT, replaced
from tests.infra.audits.secrets import lines_of_secrets, plain_secrets
from tests.infra.audits.stores import ASPECTS, COPIES, SCHEDULE, keepers, stores, unguarded
from tests.infra.rehearsal import Declared, configuration

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

KEY = "".join(("-----BEGIN ", "PRIVATE KEY-----"))


@pytest.fixture(params=["staging", "prod"])
def guarded(request: pytest.FixtureRequest, stack_of: Callable[[str], Declared]) -> Declared:
    """The environments with user data, one after the other."""
    return stack_of(request.param)


def texts(findings: Iterator[Finding]) -> list[str]:
    return [str(finding) for finding in findings]


def everything(declared: Declared) -> list[ResourceState]:
    return list(declared.result.snapshot.resources)


def labels_of(stack: str) -> dict[str, str]:
    found: dict[str, str] = configuration(stack)["kingdom:environment"]["labels"]
    return found


def planted(
    declared: Declared, type_: str, path: str, value: Any, side: str = "inputs"
) -> list[ResourceState]:
    """The state with a value put into the first resource of a type; secrets of that resource come open."""
    resources = everything(declared)
    index = next(place for place, item in enumerate(resources) if item.type == type_)
    item = resources[index]
    changed = replaced(unwrap(getattr(item, side)), path, value)
    return [
        *resources[:index],
        dataclasses.replace(item, **{side: changed}),
        *resources[index + 1 :],
    ]


def without_protection(declared: Declared, type_: str) -> list[ResourceState]:
    return [
        dataclasses.replace(item, protect=False) if item.type == type_ else item
        for item in everything(declared)
    ]


class TestSecrets:
    def test_state_has_no_plaintext_secret(self, guarded: Declared) -> None:
        assert texts(plain_secrets(everything(guarded), guarded.result.outputs)) == []

    def test_state_file_has_no_plaintext_secret(self, guarded: Declared) -> None:
        crypter = Crypter.create("a passphrase of no consequence")
        text = json.dumps([to_json(item, crypter) for item in everything(guarded)])
        secrets = lines_of_secrets(everything(guarded))
        assert len(secrets) > 5
        assert [source for line, source in secrets.items() if line in text] == []

    def test_every_generated_secret_is_known_by_value(self, prod: Declared) -> None:
        sources = {source.rpartition(" ")[2] for source in lines_of_secrets(everything(prod)).values()}
        assert sources >= {"result", "authString", "currentCertificate"}

    @pytest.mark.parametrize("side", ["inputs", "outputs"])
    @pytest.mark.parametrize("stored", ["result", "authString", "currentCertificate"])
    def test_a_secret_by_value_is_found_anywhere(self, prod: Declared, stored: str, side: str) -> None:
        item = next(item for item in everything(prod) if stored in item.outputs)
        secret = max(unwrap(item.outputs)[stored].splitlines(), key=len)
        state = planted(prod, "kubernetes:core/v1:ConfigMap", "data.NOTE", f"see {secret} there", side)
        assert any("shows what" in what for what in texts(plain_secrets(state, {})))

    def test_a_secret_that_is_an_id_is_found(self, prod: Declared) -> None:
        state = [
            dataclasses.replace(item, id=unwrap(item.outputs)["result"]) if "result" in item.outputs else item
            for item in everything(prod)
        ]
        assert any(" id shows what" in what for what in texts(plain_secrets(state, {})))

    def test_a_secret_among_the_outputs_of_the_stack_is_found(self, prod: Declared) -> None:
        item = next(item for item in everything(prod) if "authString" in item.outputs)
        outputs = {"redis": {"auth": unwrap(item.outputs)["authString"]}}
        assert texts(plain_secrets(everything(prod), outputs))

    def test_a_secret_that_is_not_sealed_is_found(self, prod: Declared) -> None:
        version = "gcp:secretmanager/secretVersion:SecretVersion"
        state = planted(prod, version, "secretData", "a-value-of-nobody")
        assert "inputs.secretData is secret and not sealed" in " ".join(texts(plain_secrets(state, {})))

    @pytest.mark.parametrize(
        "looks",
        [KEY, "mongodb+srv://user:pass@host/db", "AKIA" + "A" * 16, "ghp_" + "a" * 36, "AIza" + "b" * 35],
    )
    def test_text_in_the_format_of_a_secret_is_found(self, prod: Declared, looks: str) -> None:
        state = planted(prod, "kubernetes:core/v1:ConfigMap", "data.NOTE", f"x {looks} y")
        assert "looks like a secret" in " ".join(texts(plain_secrets(state, {})))


class TestAddresses:
    def test_only_listed_resources_are_reachable_from_the_internet(self, guarded: Declared) -> None:
        assert texts(unmeant_addresses(everything(guarded))) == []

    def test_every_listed_public_resource_exists(self, prod: Declared) -> None:
        there = {(item.urn.rpartition("::")[2], item.type) for item in everything(prod)}
        assert there >= DOORS.keys()

    @pytest.mark.parametrize(
        ("type_", "path", "value"),
        [
            ("kubernetes:core/v1:Service", "spec.type", "LoadBalancer"),
            ("kubernetes:core/v1:Service", "spec.externalIPs", ["203.0.113.9"]),
            ("gcp:container/cluster:Cluster", "privateClusterConfig.enablePrivateNodes", False),
            ("gcp:container/cluster:Cluster", "privateClusterConfig.enablePrivateEndpoint", ABSENT),
            ("gcp:container/cluster:Cluster", "controlPlaneEndpointsConfig.ipEndpointsConfig.enabled", True),
            (
                "gcp:container/cluster:Cluster",
                "masterAuthorizedNetworksConfig",
                {"cidrBlocks": [{"cidrBlock": "x"}]},
            ),
            ("gcp:container/nodePool:NodePool", "networkConfig.enablePrivateNodes", False),
            ("gcp:compute/forwardingRule:ForwardingRule", "loadBalancingScheme", "EXTERNAL_MANAGED"),
            ("gcp:compute/forwardingRule:ForwardingRule", "loadBalancingScheme", ABSENT),
            ("gcp:compute/firewall:Firewall", "allows", [{"protocol": "tcp"}]),
            ("gcp:storage/bucket:Bucket", "publicAccessPrevention", "inherited"),
            ("gcp:storage/bucketIAMMember:BucketIAMMember", "member", "allUsers"),
            ("gcp:redis/instance:Instance", "connectMode", ABSENT),
            ("gcp:redis/instance:Instance", "reservedIpRange", "203.0.113.0/29"),
            ("kubernetes:core/v1:ConfigMap", "data.SOMEWHERE", "https://203.0.113.9/"),
            ("kubernetes:networking.k8s.io/v1:NetworkPolicy", "spec.extra", "2001:db8::/32"),
            ("kubernetes:networking.k8s.io/v1:NetworkPolicy", "spec.extra", "0.0.0.0/0"),
        ],
    )
    def test_a_way_in_is_found(self, prod: Declared, type_: str, path: str, value: Any) -> None:
        assert texts(unmeant_addresses(planted(prod, type_, path, value)))

    @pytest.mark.parametrize(
        "type_", ["gcp:compute/address:Address", "gcp:compute/globalAddress:GlobalAddress"]
    )
    def test_an_unlisted_address_is_found(self, prod: Declared, type_: str) -> None:
        state = [
            dataclasses.replace(item, urn=f"{item.urn}-more") if item.type == type_ else item
            for item in everything(prod)
        ]
        assert any("is an address on the internet" in what for what in texts(unmeant_addresses(state)))

    def test_an_address_in_the_outputs_is_found(self, prod: Declared) -> None:
        state = planted(prod, "gcp:redis/instance:Instance", "host", "203.0.113.9", "outputs")
        assert any("outputs.host" in what for what in texts(unmeant_addresses(state)))


class TestLabels:
    def test_every_resource_that_supports_labels_has_those_of_the_environment(
        self, declared: Declared
    ) -> None:
        assert texts(unlabelled(everything(declared), labels_of(declared.stack))) == []

    @pytest.mark.parametrize("label", ["environment", "platform", "team", "managed-by"])
    def test_one_missing_label_is_found_on_each_resource_that_can_carry_it(
        self, prod: Declared, label: str
    ) -> None:
        wanted = {**labels_of("prod"), label: "another"}
        assert len(texts(unlabelled(everything(prod), wanted))) > 80

    @pytest.mark.parametrize(
        ("type_", "path"),
        [
            ("gcp:storage/bucket:Bucket", "labels"),
            ("gcp:container/cluster:Cluster", "resourceLabels"),
            ("gcp:container/nodePool:NodePool", "nodeConfig.resourceLabels"),
            ("gcp:monitoring/notificationChannel:NotificationChannel", "userLabels"),
            ("mongodbatlas:index/project:Project", "tags"),
            ("mongodbatlas:index/advancedCluster:AdvancedCluster", "tags"),
            ("mongodbatlas:index/databaseUser:DatabaseUser", "labels"),
            ("kubernetes:core/v1:Service", "metadata.labels"),
            ("kubernetes:apps/v1:Deployment", "spec.template.metadata.labels"),
        ],
    )
    def test_a_resource_without_labels_is_found(self, prod: Declared, type_: str, path: str) -> None:
        assert texts(unlabelled(planted(prod, type_, path, ABSENT), labels_of("prod")))

    def test_types_that_are_excused_have_labels_to_be_excused_from(self) -> None:
        for type_ in OTHERWISE:
            known = resource_type(type_)
            assert known is not None
            assert known.inputs.fields.keys() & {"labels", "tags"}


class TestStores:
    def test_every_store_has_backup_encryption_and_protection(self, guarded: Declared) -> None:
        assert texts(unguarded(everything(guarded))) == []

    def test_every_store_declares_each_aspect_or_the_reason_without_it(self) -> None:
        for type_, store in stores().items():
            assert store.rules.keys() == set(ASPECTS), type_
        assert not stores().keys() & keepers().keys()

    def test_every_store_that_is_described_is_there(self, prod: Declared) -> None:
        there = {item.type for item in everything(prod)}
        assert {*stores(), *keepers()} <= there

    @pytest.mark.parametrize("type_", [type_ for type_, store in stores().items() if store.protect])
    def test_a_store_that_is_not_protected_is_found(self, prod: Declared, type_: str) -> None:
        assert any("`protect` is off" in what for what in texts(unguarded(without_protection(prod, type_))))

    @pytest.mark.parametrize(
        ("type_", "aspect", "path"),
        [
            (type_, aspect, rule.path)
            for type_, store in stores().items()
            for aspect, rules in store.rules.items()
            if not isinstance(rules, str)
            for rule in rules
        ],
    )
    def test_a_store_that_lacks_one_thing_is_found(
        self, prod: Declared, type_: str, aspect: str, path: str
    ) -> None:
        found = texts(unguarded(planted(prod, type_, path, ABSENT)))
        assert any(aspect in what and path in what for what in found)

    @pytest.mark.parametrize(
        "saver",
        ["gcp:gkebackup/backupPlan:BackupPlan", "mongodbatlas:index/cloudBackupSchedule:CloudBackupSchedule"],
    )
    def test_a_store_without_a_backup_is_found(self, prod: Declared, saver: str) -> None:
        state = [item for item in everything(prod) if item.type != saver]
        assert any(f"no {saver} saves it" in what for what in texts(unguarded(state)))

    @pytest.mark.parametrize("copy", COPIES, ids=lambda copy: copy.path)
    def test_copies_in_another_region_that_are_missing_are_found(self, prod: Declared, copy: Rule) -> None:
        assert any(copy.path in what for what in texts(unguarded(planted(prod, SCHEDULE, copy.path, ABSENT))))

    @pytest.mark.parametrize(
        "type_", ["gcp:sql/databaseInstance:DatabaseInstance", "kubernetes:core/v1:PersistentVolumeClaim"]
    )
    def test_an_unclassified_type_of_store_is_found(self, prod: Declared, type_: str) -> None:
        store = next(item for item in everything(prod) if item.type == "gcp:redis/instance:Instance")
        state = [*everything(prod), dataclasses.replace(store, type=type_, inputs={})]
        assert any("neither among" in what for what in texts(unguarded(state)))


class TestHardening:
    def test_every_hardening_setting_has_its_required_value(self, guarded: Declared) -> None:
        assert texts(unhardened(everything(guarded))) == []

    def test_every_rule_has_a_resource_to_hold_for(self, prod: Declared) -> None:
        resources = [item for item in everything(prod) if is_of_a_cloud(item)]
        there = {
            key for item in resources for key in (item.type, f"{item.type}#{item.urn.rpartition('::')[2]}")
        }
        assert hardening().keys() <= there
