"""Values that a provider marks as sensitive are secrets in outputs, at any depth."""

from __future__ import annotations

from rehearsal.pulumi.properties import Secret
from tests.rehearsal.providers.calls import Calls, urn


def test_a_sensitive_property_is_a_secret(gcp: Calls) -> None:
    inputs = {"secret": "projects/p/secrets/s", "secretData": "hunter2"}
    outputs = gcp.create(urn("gcp:secretmanager/secretVersion:SecretVersion"), inputs).outputs
    assert outputs["secretData"] == Secret("hunter2")


def test_a_sensitive_property_of_a_nested_object_is_a_secret_and_its_neighbors_are_not(gcp: Calls) -> None:
    inputs = {"displayName": "ops", "type": "slack", "sensitiveLabels": {"authToken": "hunter2"}}
    token = "gcp:monitoring/notificationChannel:NotificationChannel"
    outputs = gcp.create(urn(token), inputs).outputs
    assert outputs["sensitiveLabels"] in ({"authToken": Secret("hunter2")}, Secret({"authToken": "hunter2"}))
    assert outputs["type"] == "slack"
