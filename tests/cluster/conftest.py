"""The cluster for tests: the one of KUBECONFIG, or a control plane built from Go modules, or none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from rehearsal.cli.render import Object, objects
from tests.cluster import binaries
from tests.cluster.api import Api
from tests.cluster.control_plane import running
from tests.infra.manifests.definitions import definitions
from tests.infra.rehearsal import rehearse


@dataclass(frozen=True)
class Cluster:
    """An API server; `own` is true if it was created for this test run."""

    api: Api
    own: bool


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs the cluster; the first may have to build it."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.timeout(binaries.BUILD_SECONDS + 300))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Yield a cluster, or skip with the reason why there is none."""
    kubeconfig = os.environ.get("KUBECONFIG", "")
    if kubeconfig:
        with Api.from_kubeconfig(Path(kubeconfig.partition(os.pathsep)[0])) as api:
            yield Cluster(api, own=False)
        return
    try:
        folder = binaries.built()
    except binaries.UnavailableError as error:
        pytest.skip(f"no control plane: {error}")
    with running(folder, tmp_path_factory.mktemp("control-plane")) as plane:
        yield Cluster(plane.api, own=True)


@pytest.fixture(scope="session")
def production(tmp_path_factory: pytest.TempPathFactory) -> list[Object]:
    """Every Kubernetes object of production in apply order."""
    declared = rehearse("prod", tmp_path_factory.mktemp("prod"))
    return objects(declared.result.snapshot)


@pytest.fixture(scope="session")
def custom_kinds(cluster: Cluster) -> Iterator[None]:
    """Install the CustomResourceDefinitions: published ones where available, otherwise those of tests/infra.

    Definitions that the cluster already has are not changed.
    """
    try:
        found = [
            document
            for path in binaries.published_definitions()
            for document in yaml.safe_load_all(path.read_text())
        ]
    except binaries.UnavailableError as error:
        pytest.skip(f"no definitions of custom resources: {error}")
    published = {document["metadata"]["name"]: document for document in found}
    ours = {item.name: item.manifest() for item in definitions().values()}
    added = [item for item in (ours | published).values() if not cluster.api.exists(item)]
    for manifest in added:
        cluster.api.apply(manifest)
    for manifest in added:
        _wait_until_served(cluster.api, manifest)
    yield
    if not cluster.own:
        for manifest in added:
            cluster.api.delete(manifest)


def _wait_until_served(api: Api, definition: dict[str, object]) -> None:
    from tests.cluster.api import wait_for

    def established() -> bool:
        found = api.get(api.path_of(definition, named=True))
        conditions = {item["type"]: item["status"] for item in found.get("status", {}).get("conditions", [])}
        assert conditions.get("NonStructuralSchema") != "True", found["status"]
        return conditions.get("Established") == "True"

    wait_for(f"{definition['metadata']}", established)
