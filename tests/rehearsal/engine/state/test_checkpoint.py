"""State files: parsed with the position of each error, rendered as a deployment of version 3."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from rehearsal.engine.state.checkpoint import FormatError, exported_resources, parse, render
from rehearsal.engine.state.resource_state import PendingOperation, ResourceState, Snapshot
from rehearsal.engine.state.secrets import Crypter
from rehearsal.pulumi.properties import Secret
from tests.rehearsal.engine.conftest import Stack


def test_the_state_is_a_deployment_of_version_three(stack: Stack) -> None:
    stack.up('g = Group("g")\na = Thing("a", ResourceOptions(parent=g, protect=True), value=1)\n')
    data = json.loads(stack.file.read_text())
    assert data["version"] == 3
    assert data["deployment"]["secrets_providers"]["type"] == "passphrase"
    kinds = [item["type"] for item in data["deployment"]["resources"]]
    assert kinds.index("my:index:Group") < kinds.index("toy:index:Thing")
    thing = next(item for item in data["deployment"]["resources"] if item["type"] == "toy:index:Thing")
    assert (thing["protect"], thing["custom"], thing["inputs"]["value"]) == (True, True, 1)


CRYPTER = Crypter.create("a passphrase of no consequence", temporary=True)
THING = ResourceState("urn:pulumi:test::toys::toy:index:Thing::a", "toy:index:Thing", True, id="1")
SNAPSHOT = Snapshot(
    (replace(THING, inputs={"key": Secret("hidden")}),), (PendingOperation("updating", THING),)
)


def document(**changes: Any) -> dict[str, Any]:
    """Return the state file of SNAPSHOT with `changes` to its deployment."""
    data = json.loads(render(SNAPSHOT, CRYPTER, b""))
    data["deployment"] |= changes
    return data


def parsed(data: Any) -> Snapshot:
    return parse(json.dumps(data).encode(), lambda salt: CRYPTER)


def test_snapshot_is_restored_from_its_file() -> None:
    salts: list[str] = []

    def crypter_for(salt: str) -> Crypter:
        salts.append(salt)
        return CRYPTER

    assert parse(render(SNAPSHOT, CRYPTER, b""), crypter_for) == SNAPSHOT
    assert salts == [CRYPTER.state]


def test_resources_of_an_exported_state_need_no_key_to_its_secrets() -> None:
    exported = document(secrets_providers={"type": "gcpkms", "state": {"url": "gcpkms://a"}})
    [thing] = exported_resources(json.dumps(exported).encode())
    assert (thing.urn, thing.type) == (THING.urn, THING.type)
    assert isinstance(thing.inputs["key"], Secret)
    assert thing.inputs["key"].element != "hidden"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "it is not JSON"),
        (b'{"version": 2}', "its version is 2, not 3"),
        (b'{"version": 3}', "deployment is missing"),
        (b'{"version": 3, "deployment": {"resources": [{}]}}', r"resources\[0\]: 'urn' is missing"),
    ],
)
def test_text_that_is_not_an_exported_state_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        exported_resources(text)


def test_file_of_the_same_content_stays_byte_identical() -> None:
    old = render(SNAPSHOT, CRYPTER, b"")
    assert render(SNAPSHOT, CRYPTER, old) is old
    assert render(Snapshot(SNAPSHOT.resources), CRYPTER, old) != old


def test_magic_of_the_manifest_is_the_hash_of_its_version() -> None:
    manifest = document()["deployment"]["manifest"]
    assert manifest["magic"] == hashlib.sha256(manifest["version"].encode()).hexdigest()


def test_empty_lists_may_be_omitted() -> None:
    assert parsed(document(resources=None, pending_operations=None)) == Snapshot()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ([], "the whole must be an object, not a list"),
        ({"version": 2}, "its version is 2, not 3"),
        ({"version": 3}, "deployment is missing"),
        (document(secrets_providers=None), "deployment.secrets_providers is missing"),
        (document(secrets_providers={"type": "cloud"}), "'cloud', not 'passphrase'"),
        (document(secrets_providers={"type": "passphrase", "state": {}}), "salt must be a string, not null"),
        (document(resources={}), "deployment.resources must be a list, not an object"),
        (document(resources=[1]), r"deployment.resources\[0\] must be an object, not a number"),
        (document(resources=[{"urn": THING.urn}]), r"deployment.resources\[0\]: '\w+' is missing"),
        (document(pending_operations=[{"type": "mending"}]), r"pending_operations\[0\].type must be one of"),
        (document(pending_operations=[{"type": "creating"}]), r"\[0\].resource is missing"),
    ],
)
def test_malformed_files_are_refused_with_the_position(data: Any, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        parsed(data)


def test_text_that_is_not_json_is_refused() -> None:
    with pytest.raises(FormatError, match="it is not JSON"):
        parse(b"{", lambda salt: CRYPTER)


def test_resource_that_appears_twice_is_refused() -> None:
    [resource] = document()["deployment"]["resources"]
    with pytest.raises(FormatError, match=r"resources\[1\]: urn:.*::a appears twice"):
        parsed(document(resources=[resource, resource]))
    retired = resource | {"delete": True}
    assert len(parsed(document(resources=[resource, retired])).resources) == 2
