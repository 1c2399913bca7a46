"""The scenario file: LOD1's scenarios, LOD2's mixes, and messages for what cannot be used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.application import PUBLIC
from rehearsal.scenarios.catalog import FILE, ScenarioError, load

# LOD1: users at the start and at most.
USERS = {
    "low": (100, 1_000),
    "medium": (1_000, 10_000),
    "high": (10_000, 50_000),
    "peak": (50_000, 100_000),
    "stress": (100_000, 150_000),
}


def test_the_scenarios_are_those_of_the_requirement() -> None:
    catalog = load()
    found = {name: (each.start_users, each.max_users) for name, each in catalog.scenarios.items()}
    assert found == USERS


def test_users_at_full_scale_send_the_rate_of_the_target() -> None:
    # TGT2: 100,000 users are 10,000 requests/s.
    catalog = load()
    assert catalog.scenario("peak").max_users / catalog.seconds_per_request == 10_000


def test_a_local_run_is_compressed_and_has_the_same_shape() -> None:
    scenario = load().scenario("peak")
    full, short = scenario.users(), scenario.users(120.0)
    assert short.seconds == pytest.approx(120.0)
    assert full.seconds == 3600.0
    for share in (0.0, 0.1, 0.5, 0.9):
        assert full.rate(share * 3600.0) == pytest.approx(short.rate(share * 120.0))


def test_every_feature_has_a_mix_of_operations_of_the_service() -> None:
    operations = {f"{endpoint.method} {endpoint.path}" for part in PUBLIC for endpoint in part.endpoints}
    catalog = load()
    assert {"mixed", "authentication", "generation", "analytics", "orders"} <= set(catalog.mixes)
    for name, mix in catalog.mixes.items():
        assert set(mix) <= operations, name
        assert sum(mix.values()) == pytest.approx(1.0)
    assert catalog.mix("mixed")["POST /v1/orders"] > 0


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("journeys: 88", "journeys: 80", "percentages of the mix 'mixed' sum to 92, not to 100"),
        ("mix: mixed", "mix: moxed", "'moxed' of scenario 'low' is not one of mixed, authentication"),
        ("scale: 0.2", "scale: 2", "scenarios"),
        ("startUsers: 100\n", "startUser: 100\n", "startUser"),
    ],
)
def test_a_file_with_an_error_is_refused(tmp_path: Path, before: str, after: str, message: str) -> None:
    file = tmp_path / "scenarios.yaml"
    text = FILE.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))
    with pytest.raises(ScenarioError, match=re.escape(message)):
        load(file)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ScenarioError, match="unknown scenario 'huge'; choose one of low, medium"):
        load().scenario("huge")
    with pytest.raises(ScenarioError, match="unknown mix 'none'; choose one of mixed"):
        load().mix("none")
