"""Changes of the load forecast: with round numbers, for declared stacks, and in a review."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from policies.api import Stack
from policies.testing import ResourceFixture, resources_of
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.forecast.calibration import FILE, write
from rehearsal.review.changes.load_forecast import (
    CALIBRATION,
    Carried,
    LoadForecast,
    compared,
    load_forecast,
)
from rehearsal.review.formats.json_report import report
from rehearsal.review.formats.markdown import markdown
from tests.rehearsal.forecast.factories import calibration, platform
from tests.rehearsal.review import factories
from tests.rehearsal.review.factories import resource, review_of, stack_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a calibration of round numbers."""
    (tmp_path / CALIBRATION).parent.mkdir(parents=True)
    write(calibration(), tmp_path / CALIBRATION)
    return tmp_path


def test_fewer_replicas_lower_the_first_limit() -> None:
    found = compared(platform(80), platform(60), calibration(redis=0.0))
    assert found.before is not None
    assert found.after is not None
    assert found.after.users == pytest.approx(found.before.users * 0.75, rel=0.01)
    assert found.text().startswith("first limit: ")
    assert "(CPU of api at 80 replicas) → " in found.text()
    assert "(CPU of api at 60 replicas)" in found.text()


def test_fewer_connections_become_the_first_limit() -> None:
    text = compared(platform(), platform(connections=1_500), calibration()).text()
    assert "users (1500 database connections, 27 per pod)" in text


def test_the_form_of_the_line() -> None:
    before = Carried("6000 database connections", 92_300, 40.0)
    after = Carried("6000 database connections", 61_000, 71.2)
    assert LoadForecast(before, after, 100_000).text() == (
        "first limit: 92k → 61k users (6000 database connections); +31.20 USD/h at 100k users"
    )
    assert LoadForecast(before, before, 100_000).text() == ""
    dearer = Carried("6000 database connections", 92_310, 38.5)
    assert LoadForecast(before, dearer, 100_000).text() == "-1.50 USD/h at 100k users"
    unlimited = Carried("none", float("inf"), 40.0)
    assert "first limit: 92k users (6000 database connections) → unlimited" in (
        LoadForecast(before, unlimited, 100_000).text()
    )


def test_forecast_of_a_change_takes_milliseconds() -> None:
    began = time.process_time()
    compared(platform(100), platform(60), calibration())
    assert time.process_time() - began < 1


# -- declared stacks ----------------------------------------------------------------------------------------


def declared(max_replicas: int = 20, *, cpu: str = "500m") -> tuple[ResourceFixture, ...]:
    """A small platform: two autoscaled roles, one pool, one database."""

    def role(name: str, replicas: int) -> tuple[ResourceFixture, ResourceFixture]:
        meta, target = {"name": name, "namespace": "shop"}, {"kind": "Deployment", "name": name}
        resources = {"requests": {"cpu": cpu, "memory": "256Mi"}, "limits": {"cpu": "1"}}
        pod = {"nodeSelector": {"shop/pool": "main"}, "containers": [{"name": "x", "resources": resources}]}
        metric = {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 65}}}
        scaler = {"minReplicas": 2, "maxReplicas": replicas, "metrics": [metric]}
        return (
            ResourceFixture(
                "kubernetes:apps/v1:Deployment", {"metadata": meta, "spec": {"template": {"spec": pod}}}, name
            ),
            ResourceFixture(
                "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
                {
                    "metadata": meta,
                    "spec": {**scaler, "scaleTargetRef": target},
                },
                f"{name}-scaling",
            ),
        )

    size = {"instanceSize": "M40", "nodeCount": 3}
    region = {"electableSpecs": size, "autoScaling": {"computeMinInstanceSize": "M40"}}
    return (
        *role("api", max_replicas),
        *role("worker", 40),
        ResourceFixture(
            "gcp:container/nodePool:NodePool",
            {
                "name": "main",
                "location": "europe-west1",
                "autoscaling": {"totalMinNodeCount": 2, "totalMaxNodeCount": 10},
                "nodeConfig": {"machineType": "n2d-standard-8", "labels": {"shop/pool": "main"}},
            },
            "pool",
        ),
        ResourceFixture(
            "kubernetes:core/v1:ConfigMap",
            {"metadata": {"name": "c", "namespace": "shop"}, "data": {"KINGDOM_MONGODB_POOL": "25"}},
            "configuration",
        ),
        ResourceFixture(
            "mongodbatlas:index/advancedCluster:AdvancedCluster",
            {"replicationSpecs": [{"regionConfigs": [region]}]},
            "database",
        ),
    )


def resource_states(*given: ResourceFixture) -> list[ResourceState]:
    return [resource(item.type, item.name, dict(item.props)) for item in given]


def stack(*given: ResourceFixture) -> Stack:
    return Stack.of(resources_of(given))


def test_a_declared_stack_is_forecast(root: Path) -> None:
    found = load_forecast("prod", root, stack(*declared(60)), stack(*declared(10)))
    assert found is not None
    assert "(CPU of api at 60 replicas) → " in found.text()
    # 10 pods are on the 2 nodes that the pool has at least, 60 on 4; a node costs 0.38 USD an hour at most.
    more = re.search(r"; (-[\d.]+) USD/h at 100k users$", found.text())
    assert more is not None
    assert -1.0 < float(more[1]) < -0.5


@pytest.mark.parametrize(
    "after",
    [
        lambda: declared(20),
        lambda: declared(20)[1:],
        lambda: declared(1),
        lambda: declared(20, cpu="0"),
        lambda: (),
    ],
    ids=["the same sizes", "no Deployment", "fewer than minReplicas", "no request", "nothing"],
)
def test_other_changes_are_not_forecast(root: Path, after: Callable[[], tuple[ResourceFixture, ...]]) -> None:
    assert load_forecast("prod", root, stack(*declared(20)), stack(*after())) is None


def test_without_a_calibration_one_line_states_it(root: Path) -> None:
    file = root / CALIBRATION
    file.unlink()
    for reason in ("is missing", "cannot be read"):
        found = load_forecast("prod", root, stack(*declared(20)), stack(*declared(10)))
        assert found is not None
        assert found.text() == (
            f"users and cost at the peak are not forecast: rehearsal/forecast/calibration.json {reason}; "
            "`kingdom forecast --calibrate FILE` writes it"
        )
        file.write_text("{}")


def test_the_forecast_of_this_project_reads_the_same_calibration() -> None:
    assert Path(__file__).parents[4] / CALIBRATION == FILE


# -- in a review --------------------------------------------------------------------------------------------


def test_a_review_states_it_once_above_the_numbers(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factories, "PROJECT", replace(factories.PROJECT, root=root))
    before, after = (tuple(resource_states(*declared(number))) for number in (20, 10))
    review = review_of(
        *(stack_of(name, (), (), after, base=before) for name in ("dev", "prod")),
        stack_of("same", (), (), before, base=before),
    )
    text = markdown(review)
    section = text.partition("### Capacity\n")[2]
    lines = [line for line in section.splitlines() if "first limit: " in line]
    assert section.index(lines[0]) < section.index("| stack |")
    assert len(lines) == 1
    assert lines[0].startswith("- `prod`, `dev`: first limit: ")
    assert "| `prod`, `dev` | replicas of shop/api | `2 to 20` | `2 to 10` |" in section
    dev, _, same = json.loads(json.dumps(report(review)))["stacks"]
    assert dev["forecast"]["after"]["limit"] == "CPU of api at 10 replicas"
    assert dev["forecast"]["atUsers"] == 100_000
    assert dev["forecast"]["after"]["users"] < dev["forecast"]["before"]["users"]
    assert same["forecast"] is None
