"""A load test in a cluster starts only with valid settings, within its window, and against allowed hosts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loadtest.distributed_settings import (
    NotAllowedError,
    Period,
    PodSettings,
    credentials,
    in_cluster,
    on_this_machine,
    read,
    require_allowed,
)
from rehearsal.scenarios.catalog import load

CATALOG = load()
START = datetime(2026, 1, 3, 2, tzinfo=UTC)
WINDOW = Period(START, START + timedelta(hours=2))
SETTINGS = PodSettings("prod", "peak", 2, "api.kingdom.svc", 80, "loadtest-0.loadtest", 1, WINDOW)
ENVIRON = {
    "KINGDOM_LOADTEST_ENVIRONMENT": "prod", "KINGDOM_LOADTEST_SCENARIO": "peak",
    "KINGDOM_LOADTEST_WORKERS": "2", "KINGDOM_LOADTEST_PORT": "80",
    "KINGDOM_LOADTEST_HOST": "api.kingdom.svc",
    "KINGDOM_LOADTEST_COORDINATOR": "loadtest-0.loadtest", "JOB_COMPLETION_INDEX": "1",
    "KINGDOM_LOADTEST_WINDOW_START": "2026-01-03T02:00:00Z",
    "KINGDOM_LOADTEST_WINDOW_END": "2026-01-03T04:00:00Z",
}  # fmt: skip


def test_the_variables_are_read() -> None:
    assert read(ENVIRON) == SETTINGS


def test_all_problems_are_reported_at_once() -> None:
    wrong = {
        **ENVIRON,
        "KINGDOM_LOADTEST_HOST": "",
        "KINGDOM_LOADTEST_WORKERS": "many",
        "KINGDOM_LOADTEST_WINDOW_END": "2026-01-03T04:00:00",
        "JOB_COMPLETION_INDEX": "3",
    }
    with pytest.raises(NotAllowedError) as caught:
        read(wrong)
    for part in (
        "KINGDOM_LOADTEST_HOST is not set",
        "KINGDOM_LOADTEST_WORKERS is 'many', not a whole number from 1 to 1000",
        "JOB_COMPLETION_INDEX is '3'",
        "KINGDOM_LOADTEST_WINDOW_END is '2026-01-03T04:00:00', not a time",
    ):
        assert part in str(caught.value)


def test_half_a_window_is_refused() -> None:
    with pytest.raises(NotAllowedError, match="belong together"):
        read({key: value for key, value in ENVIRON.items() if key != "KINGDOM_LOADTEST_WINDOW_END"})


@pytest.mark.parametrize(
    ("minutes", "message"),
    [(-1, "outside the window"), (61, "would end after the window"), (121, "outside the window")],
)
def test_nothing_is_sent_outside_the_window(minutes: int, message: str) -> None:
    with pytest.raises(NotAllowedError, match=message):
        require_allowed(SETTINGS, CATALOG, START + timedelta(minutes=minutes))


@pytest.mark.parametrize("minutes", [0, 60])
def test_a_scenario_that_fits_into_the_window_is_allowed(minutes: int) -> None:
    # Peak takes an hour.
    assert require_allowed(SETTINGS, CATALOG, START + timedelta(minutes=minutes)).seconds == 3600


@pytest.mark.parametrize(
    "host", ["api.kingdom.studio", "10.0.0.1", "svc", ".svc", "api.svc", "evil.com/.svc"]
)
def test_other_hosts_are_refused(host: str) -> None:
    with pytest.raises(NotAllowedError, match="load tests run against no other host"):
        require_allowed(replace(SETTINGS, host=host, window=None), CATALOG)


def test_services_and_loopback_addresses_are_accepted() -> None:
    assert in_cluster("api.kingdom.svc")
    assert in_cluster("api.kingdom.svc.cluster.local")
    assert all(on_this_machine(host) for host in ("localhost", "127.0.0.1", "::1"))


def test_each_worker_has_its_own_accounts(tmp_path: Path) -> None:
    file = tmp_path / "accounts"
    file.write_text(json.dumps([{"email": f"{n}@example.com", "password": "x"} for n in range(5)]))
    shares = [
        {each.email for each in credentials(replace(SETTINGS, index=index, accounts=file))}
        for index in (1, 2)
    ]
    assert [len(share) for share in shares] == [3, 2]
    assert not shares[0] & shares[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "0 accounts for 2 workers"),
        ('{"email": "hidden"}', "is not a JSON array"),
        ('[{"email": "hidden"}]', "is not a JSON array"),
    ],
)
def test_an_unusable_accounts_file_is_refused_without_its_content(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "accounts"
    file.write_text(text)
    with pytest.raises(NotAllowedError, match=message) as caught:
        credentials(replace(SETTINGS, accounts=file))
    assert "hidden" not in str(caught.value)
