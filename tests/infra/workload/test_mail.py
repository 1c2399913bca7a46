"""The mail server of the service: configuration, password, and the way to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.settings.service import MailSettings
from tests.infra.rehearsal import configuration, rehearse


def test_pods_reach_the_mail_server_with_a_password_that_no_state_contains(tmp_path: Path) -> None:
    values = configuration("dev")
    values["kingdom:mail"]["passwordVersion"] = 3
    declared = rehearse("dev", tmp_path, values)
    variables = declared.one("ConfigMap", "configuration")["data"]
    assert variables["KINGDOM_SMTP_URL"] == values["kingdom:mail"]["server"]
    assert variables["KINGDOM_CONFIRM_ADDRESSES"] == "true"
    for role in ("api", "worker"):
        mounted = declared.one("SecretProviderClass", f"{role}-secrets")["spec"]["parameters"]["secrets"]
        assert "kingdom-smtp-password/versions/3" in mounted
        assert "smtp-password" in mounted
    (rule,) = declared.one("NetworkPolicy", "isolation-to-mail")["spec"]["egress"]
    assert rule["ports"] == [{"port": 465, "protocol": "TCP"}]
    assert "10.0.0.0/8" in rule["to"][0]["ipBlock"]["except"]


def test_without_a_mail_server_nothing_is_declared_for_it(tmp_path: Path) -> None:
    values = configuration("dev")
    values["kingdom:mail"] |= {"server": "", "passwordVersion": 0}
    declared = rehearse("dev", tmp_path, values)
    assert "KINGDOM_SMTP_URL" not in declared.one("ConfigMap", "configuration")["data"]
    assert "isolation-to-mail" not in declared.of("NetworkPolicy")


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
