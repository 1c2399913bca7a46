"""The CronJob of the monitor: its schedule, its settings, and what its pods reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.monitoring.signals import resolve
from app.settings import PrometheusAuth, load_monitor
from infra.observability.signals import declared as declared_signals
from policies.model.cron import min_interval
from tests.infra.rehearsal import Declared, configuration


@pytest.fixture(params=["dev", "staging", "prod"])
def cloud(request: pytest.FixtureRequest, stack_of: Callable[[str], Declared]) -> Declared:
    """The declared resources of each stack with a monitor."""
    return stack_of(request.param)


def job(cloud: Declared) -> Any:
    return cloud.one("CronJob", "monitor")["spec"]["jobTemplate"]["spec"]


def pod(cloud: Declared) -> Any:
    return job(cloud)["template"]["spec"]


def environ(cloud: Declared, folder: Path) -> dict[str, str]:
    """The environment of a pod, with the mounted file in `folder`."""
    (container,) = pod(cloud)["containers"]
    found = {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    (volume,) = [each for each in pod(cloud)["volumes"] if "configMap" in each]
    (content,) = [
        each["data"]
        for each in cloud.of("ConfigMap").values()
        if each["metadata"]["name"] == volume["configMap"]["name"]
    ]
    for name, text in content.items():
        (folder / name).write_text(text)
    file = found["KINGDOM_SIGNALS_FILE"]
    assert file.startswith(f"{mounts[volume['name']]}/")
    return {**found, "KINGDOM_SIGNALS_FILE": str(folder / file.rpartition("/")[2])}


def test_the_service_accepts_the_environment(cloud: Declared, tmp_path: Path) -> None:
    settings = load_monitor(environ(cloud, tmp_path))
    values = configuration(cloud.stack)
    section, namespace = values["kingdom:observability"], values["kingdom:workload"]["namespace"]
    assert settings.signals == resolve(declared_signals(), namespace, section)
    assert settings.environment == cloud.stack
    assert settings.prometheus_auth is PrometheusAuth.GOOGLE
    assert f"/projects/{values['gcp:project']}/" in settings.prometheus_url
    assert settings.reports.bucket == cloud.one("Bucket", "reports")["name"]
    assert not settings.reports.anonymous
    assert settings.period == section["monitor"]["reportHours"] * 3600


def test_a_run_with_its_retries_ends_before_the_next(cloud: Declared, tmp_path: Path) -> None:
    settings = load_monitor(environ(cloud, tmp_path))
    spec = cloud.one("CronJob", "monitor")["spec"]
    hours = configuration(cloud.stack)["kingdom:observability"]["monitor"]["everyHours"]
    assert min_interval(spec["schedule"]) == hours * 3600
    assert spec["concurrencyPolicy"] == "Forbid"
    runs = job(cloud)["backoffLimit"] + 1
    assert runs * settings.deadline < job(cloud)["activeDeadlineSeconds"] < hours * 3600


def test_its_metrics_are_scraped_three_times(cloud: Declared, tmp_path: Path) -> None:
    spec = cloud.one("PodMonitoring", "monitor-scraping")["spec"]
    template = job(cloud)["template"]
    assert spec["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    (endpoint,) = spec["endpoints"]
    (container,) = template["spec"]["containers"]
    assert endpoint["port"] in {port["name"] for port in container["ports"]}
    settings = load_monitor(environ(cloud, tmp_path))
    assert {port["containerPort"] for port in container["ports"]} == {settings.port}
    assert settings.scrape >= 3 * float(endpoint["interval"].removesuffix("s"))


def test_monitor_reaches_dns_its_identity_and_google_only(cloud: Declared) -> None:
    labels = job(cloud)["template"]["metadata"]["labels"]
    applied = {
        name.removeprefix("isolation-")
        for name, policy in cloud.of("NetworkPolicy").items()
        if selects(policy["spec"]["podSelector"], labels)
    }
    assert applied == {"default-deny", "from-monitoring", "to-names", "to-identity", "to-google"}
    api = cloud.one("Deployment", "api")["spec"]["template"]["metadata"]["labels"]
    assert {"isolation-to-cache", "isolation-to-database"} <= {
        name
        for name, policy in cloud.of("NetworkPolicy").items()
        if selects(policy["spec"]["podSelector"], api)
    }


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    expressions = selector.get("matchExpressions", [])
    assert all(each["operator"] == "In" for each in expressions)
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(each["key"]) in each["values"] for each in expressions
    )


def test_monitor_mounts_no_secret_and_has_no_variable_of_the_service(cloud: Declared) -> None:
    assert [each["name"] for each in pod(cloud)["volumes"]] == ["scratch", "signals"]
    assert not any("envFrom" in container for container in pod(cloud)["containers"])
    assert not any(name.startswith("monitor") for name in cloud.of("SecretProviderClass"))


def test_a_run_that_fails_twice_is_left_to_the_next(cloud: Declared) -> None:
    assert job(cloud)["backoffLimit"] == 1
    assert pod(cloud)["restartPolicy"] == "Never"
    assert pod(cloud)["serviceAccountName"] == "monitor"


def test_an_update_by_hand_ignores_the_image(prod: Declared) -> None:
    ignored = prod.state("CronJob", "monitor").ignore_changes
    assert tuple(ignored) == ("spec.jobTemplate.spec.template.spec.containers[0].image",)
