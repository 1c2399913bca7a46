"""Rules over several properties; `refused.yaml` has a case of each rule."""

from __future__ import annotations

from typing import Any

from rehearsal.providers.constraints.api.google import checks_of

TOKEN = "gcp:redis/instance:Instance"


def found(inputs: dict[str, Any]) -> set[str]:
    return {str(path[0]) for check in checks_of(TOKEN) for path, _ in check(inputs)}


def test_properties_that_do_not_go_together_are_reported_at_the_one_to_change() -> None:
    assert not found({"tier": "STANDARD_HA", "memorySizeGb": 5, "readReplicasMode": "READ_REPLICAS_ENABLED"})
    assert found({"tier": "BASIC", "memorySizeGb": 5, "readReplicasMode": "READ_REPLICAS_ENABLED"}) == {
        "readReplicasMode"
    }
