"""The files of facts: one line for each type, parsed when it is read."""

from __future__ import annotations

import pytest

from rehearsal.providers.constraints import facts


@pytest.mark.parametrize("package", facts.PACKAGES)
def test_every_rule_of_an_api_is_about_an_attribute_that_the_provider_has(package: str) -> None:
    lines = facts._lines(f"{package}_api")
    assert facts.api(package).endswith("API")
    for name in filter(None, lines):
        found = facts.read(package, name)
        assert found is not None, name
        assert found.api.keys() <= found.attributes.keys(), name


# Maps named like Google's labels whose keys and values another system defines.
OTHER_LABELS = {
    ("google_monitoring_alert_policy", "conditions.condition_prometheus_query_language.labels"),
    ("google_monitoring_notification_channel", "labels"),  # the settings of the channel: an address, a token
    ("google_monitoring_uptime_check_config", "monitored_resource.labels"),
}


def test_every_map_of_google_labels_has_the_rule_for_labels() -> None:
    without = {
        (name, path)
        for name in facts.types("gcp")
        if (found := facts.read("gcp", name)) is not None
        for path, given in found.attributes.items()
        if path.rpartition(".")[2] in ("labels", "resource_labels", "user_labels") and given["type"] == "map"
        if found.api.get(path) != {"format": "labels", "max_items": 64}
    }
    kubernetes = {(name, path) for name, path in without if path.endswith("node_config.labels")}
    assert len(kubernetes) == 3
    assert without - kubernetes == OTHER_LABELS


def test_attributes_are_listed_below_their_parent() -> None:
    found = facts.read("gcp", "google_secret_manager_secret")
    assert found is not None
    assert "rotation_period" in found.children["rotation"]


def test_a_type_or_package_without_facts_is_not_found() -> None:
    assert facts.read("gcp", "google_nothing") is None
    assert facts.read("kubernetes", "pod") is None
    assert facts.types("kubernetes") == ()
