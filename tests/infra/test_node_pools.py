"""Node pools of production: identity, taints and upgrades."""

from __future__ import annotations

import pytest

from tests.infra.rehearsal import Declared


@pytest.mark.parametrize("name", ["cluster-on-demand", "cluster-spot"])
def test_nodes_use_a_dedicated_account_and_conceal_metadata(prod: Declared, name: str) -> None:
    config = prod.one("NodePool", name)["nodeConfig"]
    assert config["serviceAccount"].startswith("kingdom-nodes@")
    assert config["workloadMetadataConfig"] == {"mode": "GKE_METADATA"}
    assert config["shieldedInstanceConfig"] == {"enableSecureBoot": True, "enableIntegrityMonitoring": True}


def test_only_spot_nodes_are_tainted(prod: Declared) -> None:
    assert prod.one("NodePool", "cluster-on-demand")["nodeConfig"]["taints"] == []
    (taint,) = prod.one("NodePool", "cluster-spot")["nodeConfig"]["taints"]
    assert (taint["value"], taint["effect"]) == ("spot", "NO_SCHEDULE")


def test_upgrades_never_reduce_capacity(prod: Declared) -> None:
    for name, pool in prod.of("NodePool").items():
        assert pool["upgradeSettings"]["maxUnavailable"] == 0, name
        assert pool["upgradeSettings"]["maxSurge"] >= 1, name


def test_the_number_of_nodes_is_the_autoscalers_and_no_drift(declared: Declared) -> None:
    pools = [item for item in declared.resources if item.type.endswith(":NodePool")]
    assert {item.ignore_changes for item in pools} == {("initialNodeCount",)}
