"""The gRPC server of the simulated providers, to which the CLI connects instead of starting plugins."""

from __future__ import annotations

import os
import signal
import threading
from functools import partial

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from rehearsal.providers import provider
from rehearsal.providers.grpc_server import serve, start
from rehearsal.pulumi.properties import UNKNOWN, decode, encode, leaves
from tests.rehearsal.providers.calls import Calls

BUCKET = "urn:pulumi:test::test::gcp:storage/bucket:Bucket::"


def connected(port: int, project: str) -> Calls:
    """Open a connection like the CLI does for each provider resource, and configure it for `project`."""
    options = (("grpc.use_local_subchannel_pool", 1),)  # else channels to one port share a connection
    stub = provider_pb2_grpc.ResourceProviderStub(grpc.insecure_channel(f"127.0.0.1:{port}", options=options))
    calls = Calls(stub)
    stub.Configure(provider_pb2.ConfigureRequest(args=encode({"project": project}), acceptSecrets=True))
    return calls


def project_of(calls: Calls, name: str) -> str:
    return str(calls.make(BUCKET + name, {"location": "EU"}).outputs["project"])


def test_every_connection_keeps_its_own_configuration() -> None:
    server, port = start(partial(provider, "gcp"))
    try:
        one, two = connected(port, "one"), connected(port, "two")
        assert (project_of(one, "a"), project_of(two, "b"), project_of(one, "c")) == ("one", "two", "one")
    finally:
        server.stop(grace=1).wait()


def test_a_preview_has_known_results_of_functions_without_a_model() -> None:
    """The CLI fails if the result of a function is unknown."""
    server, port = start(partial(provider, "gcp"))
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            request = provider_pb2.InvokeRequest(
                tok="gcp:organizations/getIAMPolicy:getIAMPolicy", preview=True
            )
            response = provider_pb2_grpc.ResourceProviderStub(channel).Invoke(request)
        values = [leaf for _, leaf in leaves(decode(getattr(response, "return")))]
        assert values
        assert UNKNOWN not in values
    finally:
        server.stop(grace=1).wait()


def test_a_signal_ends_the_clouds_from_a_thread_of_its_own() -> None:
    """A signal handler in the main thread would deadlock on the event that this thread waits for."""
    setters: list[threading.Thread] = []

    class Recorded(threading.Event):
        def set(self) -> None:
            setters.append(threading.current_thread())
            super().set()

    serve(lambda _: os.kill(os.getpid(), signal.SIGTERM), packages=(), stop=Recorded())
    assert len(setters) == 1
    assert setters[0] is not threading.main_thread()
