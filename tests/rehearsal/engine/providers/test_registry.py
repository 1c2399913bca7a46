"""Configured providers by reference: configuration, unknowns, and errors of a provider."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from rehearsal.engine.providers.registry import (
    GuardedProvider,
    ProviderRegistry,
    UnconfiguredProvider,
    configuration,
)
from rehearsal.engine.state.resource_state import ResourceState, Snapshot
from rehearsal.engine.state.snapshot_manager import SnapshotManager
from rehearsal.errors import InputError
from rehearsal.providers.errors import ProviderError
from rehearsal.pulumi.properties import UNKNOWN, Secret, decode

URN = "urn:pulumi:test::toys::pulumi:providers:toy::"


def provider_record(name: str, **inputs: Any) -> ResourceState:
    return ResourceState(
        f"{URN}{name}", "pulumi:providers:toy", True, id=f"id-{name}", inputs=inputs, outputs=inputs
    )


def reference(name: str) -> str:
    return f"{URN}{name}::id-{name}"


class Toy:
    """Provider that records its calls; a change of `fixed` requires a replacement."""

    def __init__(self) -> None:
        self.configured: list[provider_pb2.ConfigureRequest] = []
        self.cancelled = 0
        self.error: Exception | None = None

    def Configure(self, request: provider_pb2.ConfigureRequest, context: Any) -> None:
        self.configured.append(request)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: Any) -> provider_pb2.DiffResponse:
        olds, news = decode(request.old_inputs), decode(request.news)
        return provider_pb2.DiffResponse(
            replaces=["fixed"] if olds.get("fixed") != news.get("fixed") else [],
            diffs=[key for key in {*olds, *news} if olds.get(key) != news.get(key)],
        )

    def Create(self, request: Any, context: Any) -> None:
        assert self.error is not None
        raise self.error

    def Cancel(self, request: Any, context: Any) -> None:
        self.cancelled += 1


def registry(
    toy: Toy, *records: ResourceState, optional: Collection[tuple[str, str]] = ()
) -> ProviderRegistry:
    return ProviderRegistry(lambda package: toy, SnapshotManager(Snapshot(records), None), None, optional)


def test_provider_is_configured_once_from_its_record() -> None:
    toy = Toy()
    found = registry(
        toy,
        provider_record("main", region="north", sizes=[1], version="1.0.0", __internal={"a": 1}),
    )
    assert found.get(reference("main")) is found.get(reference("main"))
    [request] = toy.configured
    assert decode(request.args) == {"region": "north", "sizes": [1]}
    assert dict(request.variables) == {"toy:config:region": "north", "toy:config:sizes": "[1]"}


@pytest.mark.parametrize("name", ["", reference("other")])
def test_provider_without_a_record_is_an_error(name: str) -> None:
    with pytest.raises(ProviderError, match="is not in the state"):
        registry(Toy(), provider_record("main")).get(name)


def test_provider_with_unknown_configuration_is_not_called() -> None:
    toy = Toy()
    found = registry(toy, provider_record("main", region=UNKNOWN))
    assert isinstance(found.get(reference("main")), UnconfiguredProvider)
    assert toy.configured == []


def test_optional_configuration_is_omitted_only_if_it_is_unknown() -> None:
    toy = Toy()
    records = provider_record("main", token=Secret(UNKNOWN)), provider_record("known", token="t")
    found = registry(toy, *records, optional={("toy", "token")})
    found.get(reference("main"))
    found.get(reference("known"))
    assert [decode(request.args) for request in toy.configured] == [{}, {"token": "t"}]
    found = registry(toy, provider_record("main", token=Secret(UNKNOWN)), optional={("other", "token")})
    assert isinstance(found.get(reference("main")), UnconfiguredProvider)


def test_resources_move_if_the_new_provider_requires_a_replacement() -> None:
    found = registry(
        Toy(),
        provider_record("a", fixed=1, version="1.0.0"),
        provider_record("b", fixed=1, other=1, version="2.0.0"),
        provider_record("c", fixed=2),
    )
    assert not found.moved(reference("a"), reference("b"))
    assert found.moved(reference("a"), reference("c"))
    assert not found.moved(reference("a"), reference("a"))
    assert not found.moved("", reference("c"))
    assert not found.moved(reference("a"), "")
    assert not found.moved(reference("absent"), reference("c"))


def test_cancellation_reaches_every_instance() -> None:
    toy = Toy()
    found = registry(toy, provider_record("main"))
    found.unconfigured("toy")
    found.get(reference("main"))
    found.cancel()
    assert toy.cancelled == 2


def test_function_is_modelled_unless_the_provider_denies_it() -> None:
    found = registry(Toy(), provider_record("main"))
    assert found.models_function(reference("main"), "toy:index:read")

    class Some(Toy):
        def models_function(self, token: str) -> bool:
            return token == "toy:index:read"

    found = registry(Some(), provider_record("main"))
    assert found.models_function(reference("main"), "toy:index:read")
    assert not found.models_function(reference("main"), "toy:index:write")


@pytest.mark.parametrize("error", [ProviderError(grpc.StatusCode.NOT_FOUND, "absent"), InputError("wrong")])
def test_errors_of_a_user_pass_through(error: Exception) -> None:
    toy = Toy()
    toy.error = error
    with pytest.raises(type(error)) as raised:
        GuardedProvider(toy, "toy", None).Create(provider_pb2.CreateRequest())
    assert raised.value is error


def test_unexpected_exception_is_an_internal_error_with_its_log(tmp_path: Path) -> None:
    toy = Toy()
    toy.error = KeyError("size")
    with pytest.raises(ProviderError) as raised:
        GuardedProvider(toy, "toy", tmp_path).Create(provider_pb2.CreateRequest(urn="urn:a"))
    assert raised.value.code is grpc.StatusCode.INTERNAL
    assert "toy provider, Create urn:a: KeyError: 'size' (details in " in str(raised.value)
    [log] = tmp_path.iterdir()
    assert "Traceback" in log.read_text()


def test_unconfigured_provider_returns_unknown_results() -> None:
    provider = UnconfiguredProvider()
    response = provider.Diff(provider_pb2.DiffRequest())
    assert response.changes == provider_pb2.DiffResponse.DIFF_UNKNOWN
    assert provider.Read(provider_pb2.ReadRequest(id="1")).id == "1"
    assert provider.Create(provider_pb2.CreateRequest()).id == ""


def test_configuration_has_no_keys_of_the_engine() -> None:
    inputs: dict[str, Any] = {"version": "1", "pluginDownloadURL": "u", "__internal": {}, "region": "north"}
    assert configuration(inputs) == {"region": "north"}
