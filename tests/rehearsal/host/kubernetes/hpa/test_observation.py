"""Selectors of scales as the API writes them."""

from __future__ import annotations

from rehearsal.host.kubernetes.hpa.observation import selector_string


def test_a_label_selector_is_formatted_as_in_the_scale_status() -> None:
    selector = {
        "matchLabels": {"role": "api", "app": "kingdom"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["b", "a"]},
            {"key": "zone", "operator": "Exists"},
            {"key": "old", "operator": "DoesNotExist"},
        ],
    }
    assert selector_string(selector) == "app=kingdom,!old,role=api,tier in (a,b),zone"
    assert selector_string(None) == ""
