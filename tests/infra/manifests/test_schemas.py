"""Every Kubernetes object of every stack satisfies the schemas of the API server."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from rehearsal.cli.render import objects, skipped, write
from tests.infra.manifests.definitions import definitions
from tests.infra.rehearsal import Declared

# Versions in the release channels, from the first with all declared features to the newest.
OLDEST, NEWEST = "1.34", "1.37"

Manifest = dict[str, Any]


def misfits(manifest: Manifest, version: str = NEWEST) -> list[str]:
    """Return the violations of an object, unknown fields included."""
    definition = definitions().get((manifest["apiVersion"], manifest["kind"]))
    if definition is not None:
        validator = jsonschema.Draft202012Validator(definition.schema())
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(manifest)]
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{error.json_path}: {error.message}"]
    except kubernetes_validate.SchemaNotFoundError as error:
        return [error.message]
    return []


def of_kind(manifests: list[Manifest], kind: str) -> Manifest:
    """A copy of the first object of a kind."""
    return copy.deepcopy(next(item for item in manifests if item["kind"] == kind))


@pytest.fixture
def manifests(prod: Declared) -> list[Manifest]:
    """Production's objects."""
    return [item.manifest for item in objects(prod.result.snapshot)]


def test_every_object_of_every_stack_fits_its_schema(declared: Declared) -> None:
    found = objects(declared.result.snapshot)
    wrong = {f"{item.kind}/{item.name}": why for item in found if (why := misfits(item.manifest))}
    assert found
    assert not wrong


def test_production_also_fits_the_oldest_cluster_that_may_run_it(manifests: list[Manifest]) -> None:
    wrong = {item["metadata"]["name"]: why for item in manifests if (why := misfits(item, OLDEST))}
    assert not wrong


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "template", "spec", "containers", 0, "livenesProbe"), {}),
        ("Deployment", ("spec", "template", "spec", "terminationGracePeriodSeconds"), "thirty"),
        ("HorizontalPodAutoscaler", ("spec", "maxReplica"), 3),
        ("NetworkPolicy", ("spec", "podSelector", "matchLabel"), {}),
        ("Gateway", ("spec", "listeners", 0, "protocol"), "HTTP/2"),
        ("HTTPRoute", ("spec", "rules", 0, "backendRefs", 0, "wieght"), 1),
        ("HealthCheckPolicy", ("spec", "default", "checkIntervalSec"), 301),
        ("GCPBackendPolicy", ("spec", "default", "connectionDraining", "drainingTimeoutSec"), 3601),
        ("GCPTrafficDistributionPolicy", ("spec", "default", "localityLbAlgorithm"), "LEAST_REQUESTS"),
        ("AutoscalingMetric", ("spec", "metrics", 0, "pods"), {}),
        ("VerticalPodAutoscaler", ("spec", "updatePolicy", "updateMode"), False),
        ("PodMonitoring", ("spec", "endpoints", 0, "interval"), "30"),
        ("SecretProviderClass", ("spec", "parameters", "secrets"), []),
    ],
)
def test_a_slip_in_an_object_is_found(
    manifests: list[Manifest], kind: str, path: tuple[str | int, ...], value: Any
) -> None:
    manifest = of_kind(manifests, kind)
    assert not misfits(manifest)
    target: Any = manifest
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = value
    assert misfits(manifest)


def test_nothing_of_a_stack_is_left_out_of_the_render(declared: Declared) -> None:
    assert skipped(declared.result.snapshot) == []


def test_render_writes_what_the_program_declares_each_after_its_namespace(
    prod: Declared, tmp_path: Path
) -> None:
    found = objects(prod.result.snapshot)
    write("prod", found, tmp_path)
    read = [yaml.safe_load(path.read_text()) for path in sorted(tmp_path.iterdir())]
    assert read == [item.manifest for item in found]
    seen: set[str] = set()
    for manifest in read:
        namespace = manifest["metadata"].get("namespace")
        assert namespace is None or namespace in seen
        if manifest["kind"] == "Namespace":
            seen.add(manifest["metadata"]["name"])


def test_no_secret_reaches_a_rendered_file(stack_of: Callable[[str], Declared], tmp_path: Path) -> None:
    prod = stack_of("prod")
    contents = [str(item["secretData"]) for item in prod.of("SecretVersion").values()]
    write("prod", objects(prod.result.snapshot), tmp_path)
    for text, content in itertools.product([path.read_text() for path in tmp_path.iterdir()], contents):
        assert content not in text
