"""PodMonitoring: both roles are scraped on the port that they declare."""

from __future__ import annotations

import pytest

from tests.infra.rehearsal import Declared


@pytest.mark.parametrize("role", ["api", "worker"])
def test_the_scraped_port_is_declared_by_the_pods_it_selects(declared: Declared, role: str) -> None:
    spec = declared.one("PodMonitoring", f"{role}-scraping")["spec"]
    template = declared.one("Deployment", role)["spec"]["template"]
    assert spec["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    names = {port["name"] for container in template["spec"]["containers"] for port in container["ports"]}
    assert {endpoint["port"] for endpoint in spec["endpoints"]} <= names


def test_the_number_of_samples_is_bounded(declared: Declared) -> None:
    for name, item in declared.of("PodMonitoring").items():
        assert 0 < item["spec"]["limits"]["samples"] <= 10_000, name
