"""Call a provider like an engine does, with plain values as arguments and results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pulumi.runtime.proto import provider_pb2

from rehearsal.providers import provider
from rehearsal.providers.base import Cloud
from rehearsal.providers.host_protocol import EmulationHost
from rehearsal.pulumi.properties import decode, encode

PROJECT = "kingdom-test"
REGION = "europe-west1"


@dataclass(frozen=True)
class Checked:
    """The inputs after Check, and the failures: path to reason."""

    inputs: dict[str, Any]
    failures: dict[str, str]


@dataclass(frozen=True)
class Created:
    id: str
    outputs: dict[str, Any]


class Calls:
    """One configured provider. `stub` may be the provider itself or a gRPC stub of it."""

    def __init__(self, stub: Any) -> None:
        self.stub = stub
        config = {"project": PROJECT, "region": REGION}
        self.stub.Configure(provider_pb2.ConfigureRequest(args=encode(config), acceptSecrets=True))

    @classmethod
    def of(cls, package: str, machine: EmulationHost | None = None) -> Calls:
        cloud: Cloud = provider(package, machine)
        return cls(cloud)

    def check(self, urn: str, news: dict[str, Any], olds: dict[str, Any] | None = None) -> Checked:
        request = provider_pb2.CheckRequest(urn=urn, news=encode(news), olds=encode(olds or {}))
        response = self.stub.Check(request)
        return Checked(decode(response.inputs), {one.property: one.reason for one in response.failures})

    def create(self, urn: str, inputs: dict[str, Any], *, preview: bool = False) -> Created:
        request = provider_pb2.CreateRequest(urn=urn, properties=encode(inputs), preview=preview)
        response = self.stub.Create(request)
        return Created(response.id, decode(response.properties))

    def make(self, urn: str, news: dict[str, Any]) -> Created:
        """Check the inputs, fail on any reported problem, and create the resource."""
        checked = self.check(urn, news)
        assert not checked.failures
        return self.create(urn, checked.inputs)

    def diff(
        self,
        urn: str,
        old: dict[str, Any],
        new: dict[str, Any],
        ignore: tuple[str, ...] = (),
        id_: str = "an-id",
    ) -> provider_pb2.DiffResponse:
        request = provider_pb2.DiffRequest(
            id=id_, urn=urn, old_inputs=encode(old), olds=encode(old), news=encode(new), ignoreChanges=ignore
        )
        response = self.stub.Diff(request)
        assert isinstance(response, provider_pb2.DiffResponse)
        return response

    def update(
        self, urn: str, id_: str, olds: dict[str, Any], news: dict[str, Any], *, preview: bool = False
    ) -> dict[str, Any]:
        request = provider_pb2.UpdateRequest(
            urn=urn, id=id_, olds=encode(olds), news=encode(news), old_inputs=encode({}), preview=preview
        )
        return decode(self.stub.Update(request).properties)

    def read(
        self, urn: str, id_: str, state: dict[str, Any], inputs: dict[str, Any] | None
    ) -> provider_pb2.ReadResponse:
        request = provider_pb2.ReadRequest(
            urn=urn,
            id=id_,
            properties=encode(state),
            inputs=None if inputs is None else encode(inputs),
        )
        response = self.stub.Read(request)
        assert isinstance(response, provider_pb2.ReadResponse)
        return response

    def delete(self, urn: str, id_: str, inputs: dict[str, Any]) -> None:
        self.stub.Delete(provider_pb2.DeleteRequest(urn=urn, id=id_, old_inputs=encode(inputs)))

    def invoke(self, token: str, args: dict[str, Any]) -> dict[str, Any]:
        response = self.stub.Invoke(provider_pb2.InvokeRequest(tok=token, args=encode(args)))
        return decode(getattr(response, "return"))


def urn(type_: str, name: str = "it") -> str:
    return f"urn:pulumi:test::kingdom::{type_}::{name}"


def paths(response: provider_pb2.DiffResponse) -> dict[str, str]:
    """Return the kind of each change by path."""
    kinds = provider_pb2.PropertyDiff.Kind
    return {path: kinds.Name(one.kind) for path, one in response.detailedDiff.items()}
