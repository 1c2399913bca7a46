"""Settings of the service and of what monitors, backs up and delivers it."""

from __future__ import annotations

from typing import Any

import pytest

from infra.settings.loader import parse
from infra.settings.roles import ROLES
from infra.settings.service import ImageSettings, MailSettings
from tests.infra.rehearsal import configuration, merge
from tests.infra.settings.problems import setting_problems

REPOSITORY = "europe-west1-docker.pkg.dev/kingdom-prod/kingdom/service"


def problem(section: str, change: dict[str, Any]) -> str:
    """The text of the one problem of prod with a change of one section; empty without a problem."""
    values = configuration("prod")
    merge(values[f"kingdom:{section}"], change)
    try:
        parse("prod", values)
    except Exception:
        (text,) = setting_problems(values).values()
        return text
    return ""


@pytest.mark.parametrize(
    ("section", "change", "expected"),
    [
        ("workload", {"api": {"maxReplicas": 4}}, "maxReplicas 4 is below minReplicas 5: raise it"),
        ("workload", {"api": {"maxReplicas": 5}}, ""),
        (
            "workload",
            {"api": {"resources": {"cpuLimitMilli": 499}}},
            "cpuLimitMilli 499 is below cpuMilli 500: raise the limit",
        ),
        ("workload", {"api": {"resources": {"cpuLimitMilli": 500}}}, ""),
        ("workload", {"affinitySeconds": 1799}, "Cloudflare takes 30 minutes or more"),
        ("backup", {"keepDays": 7, "lockDays": 8}, "lockDays 8 is more than keepDays 7: lower it"),
        ("backup", {"keepDays": 7, "lockDays": 7}, ""),
        (
            "observability",
            {"thresholds": {"cpuPercent": {"warning": 90, "critical": 90}}},
            "critical 90 must be above warning 90",
        ),
        ("observability", {"objectives": {"availabilityPercent": 100}}, "less than 100"),
        ("observability", {"monitor": {"everyHours": 5}}, "hours between reports: 1, 2, 3, 4 or 6"),
        ("delivery", {"ref": "main"}, "refs/heads/"),
        ("mail", {"server": "smtps://user:password@smtp.example.com"}, "without a password"),
        ("identity", {"sessionKeyGeneration": 0}, "greater than or equal to 1"),
    ],
)
def test_a_contradiction_is_reported_with_its_remedy(
    section: str, change: dict[str, Any], expected: str
) -> None:
    found = problem(section, change)
    assert expected in found
    assert bool(found) is bool(expected)


def test_every_role_of_the_table_has_a_required_section() -> None:
    for role in ROLES:
        values = configuration("prod")
        del values["kingdom:workload"][role]
        assert "is missing" in setting_problems(values)[f"kingdom:workload.{role}"]
    assert list(parse("prod", configuration("prod")).workload.roles) == list(ROLES)


def test_a_tag_is_not_accepted_as_a_digest() -> None:
    values = configuration("prod")
    values["kingdom:workload"]["image"]["digest"] = "latest"
    found = setting_problems(values)
    assert found
    assert all(key.startswith("kingdom:workload.image.digest") for key in found)


def image(digest: str) -> ImageSettings:
    return ImageSettings.model_validate({"repository": REPOSITORY, "digest": digest})


def test_an_image_is_named_by_its_digest() -> None:
    digest = f"sha256:{'a' * 64}"
    assert image(digest).reference == f"{REPOSITORY}@{digest}"
    assert not image(digest).retains_deployed
    assert image(digest).registry == "europe-west1-docker.pkg.dev/kingdom-prod/kingdom"


def test_before_the_first_release_the_image_is_one_that_no_registry_has() -> None:
    deployed = image("deployed")
    assert deployed.retains_deployed
    assert deployed.reference == f"{REPOSITORY}@sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("server", "port"),
    [
        ("smtps://a@smtp.example.com:2465", 2465),
        ("smtps://smtp.example.com", 465),
        ("smtp://smtp.example.com", 587),
        ("", None),
    ],
)
def test_the_port_of_a_mail_server(server: str, port: int | None) -> None:
    values = {"server": server, "sender": "a@example.com", "confirmAddresses": True, "passwordVersion": 0}
    assert MailSettings.model_validate(values).port == port
