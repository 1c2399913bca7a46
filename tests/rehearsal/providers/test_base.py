"""Provider protocol over declared types: Check, Diff, Create, Update, Read, Delete and Invoke."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from rehearsal.providers import provider
from rehearsal.providers.base import IMPORTED_KEY, name_of, type_of
from rehearsal.providers.errors import InitFailedError, ProviderError
from rehearsal.pulumi.properties import (
    ARCHIVE_SIGNATURE,
    ASSET_SIGNATURE,
    UNKNOWN,
    Asset,
    Secret,
    decode,
    encode,
)
from tests.rehearsal.providers.calls import PROJECT, REGION, Calls, paths, urn

BUCKET_TYPE = "gcp:storage/bucket:Bucket"
REDIS_TYPE = "gcp:redis/instance:Instance"
BUCKET, REDIS = urn(BUCKET_TYPE), urn(REDIS_TYPE)
LOCATED = {"location": "EU", "name": "media"}


class NotReadyError(Exception):
    reasons = ("no address", "no process")


class FakeHost:
    """Emulates buckets; `error` is raised by the next call, `real` are the outputs of a read."""

    EMULATED_TYPES = frozenset({BUCKET_TYPE})

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.real: dict[str, Any] | None = {"url": "http://127.0.0.1"}
        self.calls: list[tuple[Any, ...]] = []

    def _called(self, *call: Any) -> None:
        self.calls.append(call)
        if self.error is not None:
            raise self.error

    def apply(
        self, urn: str, type_: str, id_: str, inputs: dict[str, Any], /, *, timeout: float
    ) -> dict[str, Any]:
        self._called("apply", id_, inputs, timeout)
        return {"url": "http://127.0.0.1"}

    def delete(self, urn: str, type_: str, id_: str, /) -> None:
        self._called("delete", id_)

    def read(self, urn: str, type_: str, id_: str, /) -> dict[str, Any] | None:
        self._called("read", id_)
        return self.real

    def cancel(self) -> None:
        self._called("cancel")


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def emulated(host: FakeHost) -> Calls:
    return Calls.of("gcp", host)


# -- URNs ----------------------------------------------------------------------------------------------------


def test_type_and_name_of_a_urn() -> None:
    nested = "urn:pulumi:dev::p::kingdom:x:Parent$gcp:storage/bucket:Bucket::a::b"
    assert type_of(nested) == BUCKET_TYPE
    assert name_of(nested) == "a::b"


# -- Check ---------------------------------------------------------------------------------------------------


def test_unknown_type_is_a_problem(gcp: Calls) -> None:
    [reason] = gcp.check(urn("gcp:storage/bucket:Buckets"), {}).failures.values()
    assert reason.startswith('unknown resource type "gcp:storage/bucket:Buckets"')


def test_values_are_coerced_to_the_declared_type(gcp: Calls) -> None:
    checked = gcp.check(REDIS, {"memorySizeGb": "4"})
    assert checked.failures == {}
    assert checked.inputs["memorySizeGb"] == 4


# -- Diff ----------------------------------------------------------------------------------------------------


def test_change_of_an_identifying_property_replaces(gcp: Calls) -> None:
    found = gcp.diff(BUCKET, LOCATED, LOCATED | {"location": "US"})
    assert list(found.replaces) == ["location"]
    found = gcp.diff(BUCKET, LOCATED, LOCATED | {"storageClass": "NEARLINE"})
    assert list(found.replaces) == []
    assert list(found.diffs) == ["storageClass"]


def test_resource_of_the_same_name_is_deleted_before_its_replacement(gcp: Calls) -> None:
    assert gcp.diff(BUCKET, LOCATED, LOCATED | {"location": "US"}).deleteBeforeReplace
    other = LOCATED | {"location": "US", "name": "other"}
    assert not gcp.diff(BUCKET, LOCATED, other).deleteBeforeReplace


def test_generated_name_allows_creation_before_deletion(gcp: Calls) -> None:
    old = gcp.check(BUCKET, {"location": "EU"}).inputs
    new = gcp.check(BUCKET, {"location": "US"}, old).inputs
    assert new["name"] == old["name"]
    assert not gcp.diff(BUCKET, old, new).deleteBeforeReplace


def test_imported_resource_is_not_replaced(gcp: Calls) -> None:
    assert not gcp.diff(BUCKET, {IMPORTED_KEY: True}, LOCATED).replaces


# -- Create, Update ------------------------------------------------------------------------------------------


def test_creation_is_repeatable_and_depends_on_what_replaces(gcp: Calls) -> None:
    first = gcp.create(REDIS, {"name": "cache", "memorySizeGb": 4})
    assert gcp.create(REDIS, {"name": "cache", "memorySizeGb": 4}) == first
    assert gcp.create(REDIS, {"name": "cache", "memorySizeGb": 5}).id == first.id
    assert gcp.create(REDIS, {"name": "other", "memorySizeGb": 4}).id != first.id


def test_order_of_the_members_of_an_archive_does_not_change_generated_values() -> None:
    token = "gcp:storage/bucketObject:BucketObject"
    text = Asset(ASSET_SIGNATURE, (("text", "x"),))

    def seed(content: str, *members: str) -> str:
        source = Asset(ARCHIVE_SIGNATURE, (("assets", dict.fromkeys(members, text)), ("hash", content)))
        return provider("gcp").seed(urn(token, "o"), token, {"bucket": "b", "source": source})

    assert seed("0a", "a", "b") == seed("0a", "b", "a")
    assert seed("0a", "a") != seed("0b", "a")


def test_preview_has_no_id_and_computed_outputs_are_unknown(gcp: Calls) -> None:
    created = gcp.create(REDIS, {"name": "cache", "memorySizeGb": 4}, preview=True)
    assert created.id == ""
    assert created.outputs["host"] is UNKNOWN
    assert created.outputs["memorySizeGb"] == 4
    assert created.outputs["project"] == PROJECT


def test_location_of_the_provider_is_overridden_by_the_resource() -> None:
    cloud = provider("gcp")
    Calls(cloud)
    assert cloud.place_of({}) == cloud.place
    assert (cloud.place.project, cloud.place.region, cloud.place.zone) == (PROJECT, REGION, "")
    place = cloud.place_of({"project": "other", "location": "EU", "zone": "a"})
    assert (place.project, place.region, place.zone) == ("other", "EU", "a")


def test_configuration_is_also_read_from_variables() -> None:
    cloud = provider("gcp")
    request = provider_pb2.ConfigureRequest(variables={"gcp:config:project": "old", "gcp:config:zone": "z"})
    cloud.Configure(request)
    assert (cloud.place.project, cloud.place.zone) == ("old", "z")


def test_secrets_are_plain_for_an_engine_that_does_not_accept_them() -> None:
    inputs = {"name": "cache", "memorySizeGb": 4, "authEnabled": True}
    calls = Calls.of("gcp")
    assert isinstance(calls.create(REDIS, inputs).outputs["authString"], Secret)
    calls.stub.Configure(provider_pb2.ConfigureRequest(acceptSecrets=False))
    assert isinstance(calls.create(REDIS, inputs).outputs["authString"], str)


def test_update_with_unknown_inputs_keeps_computed_outputs_in_a_preview(gcp: Calls) -> None:
    inputs = {"name": "cache", "memorySizeGb": 4}
    created = gcp.create(REDIS, inputs)
    changed = inputs | {"displayName": UNKNOWN}
    outputs = gcp.update(REDIS, created.id, created.outputs, changed, preview=True)
    assert outputs["displayName"] is UNKNOWN
    assert outputs["host"] == created.outputs["host"]


def test_a_resource_without_inputs_does_not_differ_from_its_outputs() -> None:
    random = Calls.of("random")
    pet = urn("random:index/randomPet:RandomPet")
    outputs = random.make(pet, {}).outputs
    assert outputs["length"] == 2
    request = provider_pb2.DiffRequest(
        id="a-pet", urn=pet, old_inputs=encode({}), olds=encode(outputs), news=encode({})
    )
    assert paths(random.stub.Diff(request)) == {}
    request.ClearField("old_inputs")  # an engine that does not send them
    assert set(paths(random.stub.Diff(request))) == {"length", "separator"}


# -- Read, Delete --------------------------------------------------------------------------------------------


def test_read_returns_the_recorded_state(gcp: Calls) -> None:
    response = gcp.read(BUCKET, "media", {"url": "gs://media"}, LOCATED)
    assert decode(response.properties) == {"url": "gs://media"}
    assert decode(response.inputs) == LOCATED


def test_read_of_a_resource_without_inputs_returns_the_recorded_state(gcp: Calls) -> None:
    response = gcp.read(BUCKET, "media", {"url": "gs://media"}, {})
    assert decode(response.properties) == {"url": "gs://media"}
    assert decode(response.inputs) == {}


def test_read_replaces_unknown_values_of_the_record(gcp: Calls) -> None:
    state = {"url": UNKNOWN, "labels": {"team": UNKNOWN}, "selfLink": "https://media"}
    response = gcp.read(BUCKET, "media", state, LOCATED)
    assert decode(response.properties) == {"url": "gs://media", "selfLink": "https://media"}


def test_import_makes_outputs_and_marks_the_inputs(gcp: Calls) -> None:
    response = gcp.read(BUCKET, "media", {}, {})
    assert decode(response.properties)["url"] == "gs://media"
    assert decode(response.inputs) == {IMPORTED_KEY: True}


def test_get_of_a_resource_keeps_the_requested_properties(gcp: Calls) -> None:
    response = gcp.read(BUCKET, "media", {"location": "US"}, None)
    assert decode(response.properties)["location"] == "US"
    assert decode(response.inputs) == {"location": "US"}


def test_protected_resource_is_not_deleted(gcp: Calls) -> None:
    with pytest.raises(ProviderError, match="deletionProtection is set") as raised:
        gcp.delete(urn("gcp:container/cluster:Cluster"), "c", {"deletionProtection": True})
    assert raised.value.code is grpc.StatusCode.FAILED_PRECONDITION


# -- Invoke --------------------------------------------------------------------------------------------------


def test_function_of_no_sdk_is_unimplemented(gcp: Calls) -> None:
    with pytest.raises(ProviderError, match='no function "gcp:storage/getBuckts:getBuckts"') as raised:
        gcp.invoke("gcp:storage/getBuckts:getBuckts", {})
    assert raised.value.code is grpc.StatusCode.UNIMPLEMENTED
    with pytest.raises(ProviderError, match="SDK of gcp has no function"):
        gcp.invoke("cloudflare:index/getZones:getZones", {})


def test_function_with_unknown_arguments_is_not_called(gcp: Calls) -> None:
    assert gcp.invoke("gcp:compute/getZones:getZones", {"region": UNKNOWN}) == {}


def test_wrong_arguments_of_a_function_are_failures(gcp: Calls) -> None:
    request = provider_pb2.InvokeRequest(tok="gcp:storage/getBucket:getBucket", args=encode({"nam": "a"}))
    [failure] = gcp.stub.Invoke(request).failures
    assert failure.property == "nam"
    assert "unknown argument" in failure.reason


def test_functions_are_modelled_or_made_from_their_type() -> None:
    cloud = provider("gcp")
    assert cloud.models_function("gcp:compute/getZones:getZones")
    assert not cloud.models_function("gcp:storage/getBucket:getBucket")


# -- configuration -------------------------------------------------------------------------------------------


def test_configuration_is_checked_against_its_type(gcp: Calls) -> None:
    inputs = {"project": "p", "projekt": "p", "version": "9.0.0", "batching": '{"enableBatching": true}'}
    response = gcp.stub.CheckConfig(provider_pb2.CheckRequest(news=encode(inputs)))
    assert [failure.property for failure in response.failures] == ["projekt"]


# -- emulated resources --------------------------------------------------------------------------------------


def test_emulated_resource_has_the_outputs_of_the_host(emulated: Calls, host: FakeHost) -> None:
    created = emulated.make(BUCKET, LOCATED)
    assert created.outputs["url"] == "http://127.0.0.1"
    [(method, id_, inputs, timeout)] = host.calls
    assert (method, id_, timeout) == ("apply", created.id, 300.0)
    assert inputs == LOCATED
    emulated.create(BUCKET, LOCATED, preview=True)
    emulated.create(REDIS, {"name": "cache", "memorySizeGb": 4})
    assert len(host.calls) == 1


def test_host_that_gives_reasons_leaves_the_resource_unready(emulated: Calls, host: FakeHost) -> None:
    host.error = NotReadyError()
    with pytest.raises(InitFailedError) as raised:
        emulated.create(BUCKET, LOCATED)
    assert raised.value.id
    assert raised.value.reasons == ["no address", "no process"]
    with pytest.raises(ProviderError, match="no address; no process"):
        emulated.delete(BUCKET, "media", LOCATED)


def test_other_exceptions_of_the_host_pass_through(emulated: Calls, host: FakeHost) -> None:
    host.error = OSError("broken")
    with pytest.raises(OSError, match="broken"):
        emulated.create(BUCKET, LOCATED)
    with pytest.raises(OSError, match="broken"):
        emulated.delete(BUCKET, "media", LOCATED)


def test_resource_that_the_host_does_not_have_is_absent(emulated: Calls, host: FakeHost) -> None:
    state = {"url": "gs://media", "location": "EU"}
    assert decode(emulated.read(BUCKET, "media", state, LOCATED).properties) == {
        "url": "http://127.0.0.1",
        "location": "EU",
    }
    host.real = None
    assert emulated.read(BUCKET, "media", state, LOCATED).id == ""


def test_cancellation_reaches_the_host(emulated: Calls, host: FakeHost) -> None:
    emulated.stub.Cancel(None)
    assert host.calls == [("cancel",)]
