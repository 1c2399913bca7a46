"""The rehearsal providers against the real provider plugins, resource by resource."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from rehearsal.pulumi.properties import decode, encode
from tests.rehearsal.parity.provider_plugins import PACKAGES, find, running
from tests.rehearsal.providers.calls import Calls, urn
from tests.rehearsal.providers.constraints.mutations import invalid
from tests.rehearsal.providers.constraints.stacks import planned

# Intended differences by type token and property, with the reason.
ACCEPTED: dict[tuple[str, str], str] = {}

FAKE = f"""#!{sys.executable}
import sys
from concurrent import futures
import grpc
from pulumi.runtime.proto import provider_pb2_grpc
from rehearsal.providers import provider
server = grpc.server(futures.ThreadPoolExecutor(2))
provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider("random"), server)
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
server.wait_for_termination()
"""


@pytest.fixture(params=PACKAGES)
def real(request: pytest.FixtureRequest) -> Iterator[tuple[str, Any]]:
    """Return the stub of each installed plugin."""
    plugin = find(request.param)
    if plugin is None:
        pytest.skip(f"no pulumi-resource-{request.param} on PATH or among the CLI's plugins")
    with running(plugin) as stub:
        yield request.param, stub


def refused(stub: Any, token: str, inputs: dict[str, Any]) -> set[str]:
    """Return the top-level properties for which `Check` reports a failure of the provider, not of its API."""
    request = provider_pb2.CheckRequest(urn=urn(token), type=token, news=encode(inputs), randomSeed=b"0" * 32)
    return {
        failure.property.partition(".")[0].partition("[")[0]
        for failure in stub.Check(request).failures
        if not failure.reason.endswith("API validates this)")
    }


@pytest.mark.providers
@pytest.mark.timeout(1800)
def test_the_rehearsal_rejects_inputs_that_the_real_provider_rejects(real: tuple[str, Any]) -> None:
    package, stub = real
    rehearsed = Calls.of(package).stub
    differing: list[tuple[str, str]] = []
    for token, inputs in dict(planned("prod")).items():
        if not token.startswith(f"{package}:"):
            continue
        for changed in (inputs, *(mutation.inputs for mutation in invalid(token, inputs))):
            theirs, ours = refused(stub, token, changed), refused(rehearsed, token, changed)
            differing += [(token, name) for name in theirs ^ ours if (token, name) not in ACCEPTED]
    assert not differing


@pytest.mark.providers
def test_the_rehearsal_sets_the_same_default_inputs_as_the_real_provider(real: tuple[str, Any]) -> None:
    package, stub = real
    for token, inputs in dict(planned("prod")).items():
        if token.startswith(f"{package}:"):
            request = provider_pb2.CheckRequest(urn=urn(token), type=token, news=encode(inputs))
            checked = decode(stub.Check(request).inputs)
            assert {key: checked.get(key) for key in inputs} == inputs, token


def test_a_plugin_is_found_started_and_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a simulated provider as the plugin, to test the protocol without a real one."""
    plugin = tmp_path / "plugins" / "resource-random-v4.0.0" / "pulumi-resource-random"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(FAKE)
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    assert find("random") == plugin
    with running(plugin) as stub:
        token = "random:index/randomBytes:RandomBytes"
        assert refused(stub, token, {"length": "many"}) == {"length"}
        assert refused(stub, token, {"length": 8}) == set()
