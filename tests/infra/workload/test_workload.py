"""The service on the cluster: its variables, trusted proxies, mail server and monitor."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import pytest

from infra.edge.address_ranges import CLOUDFLARE, LOAD_BALANCERS
from infra.settings.loader import parse
from infra.settings.sizing import REDIS_POOL, Sizing
from rehearsal.pulumi.properties import unwrap
from tests.infra.rehearsal import Declared, configuration


def variables(declared: Declared) -> dict[str, str]:
    found: dict[str, str] = declared.one("ConfigMap", "configuration")["data"]
    return found


def test_pods_reach_the_mail_server_with_a_password_that_no_state_contains(varied: Declared) -> None:
    assert variables(varied)["KINGDOM_SMTP_URL"] == "smtp://mail.example.com"
    assert variables(varied)["KINGDOM_CONFIRM_ADDRESSES"] == "false"
    for role in ("api", "worker"):
        mounted = varied.one("SecretProviderClass", f"{role}-secrets")["spec"]["parameters"]["secrets"]
        assert "kingdom-smtp-password/versions/3" in mounted
        assert "smtp-password" in mounted
    assert not [name for name in varied.of("SecretVersion") if "smtp" in name]
    (rule,) = varied.one("NetworkPolicy", "isolation-to-mail")["spec"]["egress"]
    assert rule["ports"] == [{"port": 587, "protocol": "TCP"}]
    assert "10.0.0.0/8" in rule["to"][0]["ipBlock"]["except"]


def test_without_a_mail_server_nothing_is_declared_for_it(stack_of: Callable[[str], Declared]) -> None:
    local = stack_of("local")
    assert configuration("local")["kingdom:mail"]["server"] == ""
    assert not {"KINGDOM_SMTP_URL", "KINGDOM_CONFIRM_ADDRESSES"} & variables(local).keys()
    assert "isolation-to-mail" not in local.of("NetworkPolicy")
    mounted = local.one("SecretProviderClass", "api-secrets")["spec"]["parameters"]["secrets"]
    assert "smtp" not in mounted


def test_the_service_trusts_the_client_address_of_the_edge_and_the_load_balancer_only(
    declared: Declared,
) -> None:
    trusted = variables(declared)["KINGDOM_TRUSTED_PROXIES"].split(",")
    address = unwrap(declared.state("GlobalAddress", "origin").outputs["address"])
    assert sorted(trusted) == sorted(["127.0.0.0/8", *LOAD_BALANCERS, *CLOUDFLARE, f"{address}/32"])
    assert all(ipaddress.ip_network(network).prefixlen >= 8 for network in trusted)


def test_variables_follow_the_settings_of_the_stack(declared: Declared) -> None:
    values, found = configuration(declared.stack), variables(declared)
    workload, database = values["kingdom:workload"], values["kingdom:database"]
    expected = {
        "KINGDOM_ENVIRONMENT": declared.stack,
        "KINGDOM_LIMITS_FACTOR": f"{workload['limitsFactor']:g}",
        "KINGDOM_LOG_LEVEL": workload["logLevel"],
        "KINGDOM_DRAIN_SECONDS": str(workload["drainSeconds"]),
        "KINGDOM_MONGODB_DATABASE": database["name"],
        "KINGDOM_MONGODB_AUTH": database["auth"],
        "KINGDOM_INDEX_ADVISOR": database["indexAdvisor"],
        "KINGDOM_STORAGE_BUCKET": values["kingdom:storage"]["bucket"],
        "KINGDOM_CORS_ORIGINS": f"https://{values['kingdom:storage']['apps']['web']}",
    }
    assert {key: found[key] for key in expected} == expected


def test_connection_pools_are_those_that_the_sizing_reserves(declared: Declared) -> None:
    sizing = Sizing.of(parse(declared.stack, configuration(declared.stack)))
    assert variables(declared)["KINGDOM_MONGODB_POOL"] == str(sizing.mongodb_pool)
    assert variables(declared)["KINGDOM_REDIS_POOL"] == str(REDIS_POOL)


@pytest.mark.parametrize(
    ("stack", "scheme"), [("dev", "mongodb+srv"), ("local", "mongodb"), ("prod", "mongodb+srv")]
)
def test_the_database_url_has_no_credentials(
    stack_of: Callable[[str], Declared], stack: str, scheme: str
) -> None:
    url = variables(stack_of(stack))["KINGDOM_MONGODB_URL"]
    assert url.startswith(f"{scheme}://")
    assert "@" not in url


def test_each_role_has_an_autoscaler_a_deployment_and_metrics(declared: Declared) -> None:
    for role in ("api", "worker"):
        target = declared.one("HorizontalPodAutoscaler", f"{role}-scaling")["spec"]["scaleTargetRef"]
        assert target["name"] == declared.one("Deployment", role)["metadata"]["name"] == role
        assert f"{role}-scraping" in declared.of("PodMonitoring")


def test_the_monitor_is_declared_where_it_is_configured(declared: Declared) -> None:
    configured = configuration(declared.stack)["kingdom:observability"]["monitor"] is not None
    assert any(item.type.endswith(":CronJob") for item in declared.resources) is configured
    assert ("monitor-scraping" in declared.of("PodMonitoring")) is configured


def test_objects_of_the_workload_use_the_provider_of_the_cluster(prod: Declared) -> None:
    providers = {item.provider for item in prod.resources if item.type.startswith("kubernetes:")}
    assert len(providers) == 1
    assert "pulumi:providers:kubernetes::cluster::" in providers.pop()
