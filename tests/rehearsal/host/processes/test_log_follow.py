"""`kingdom logs`: the lines it shows, and the error for a name that matches no log."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.errors import InputError
from rehearsal.host.processes.log_follow import follow_logs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pod_kingdom_api-1_api.log").write_text("one\ntwo\nthree\n")
    (tmp_path / "envoy.log").write_text("listening\n")
    return tmp_path


def test_a_part_of_a_name_is_enough_and_may_be_as_status_prints_it(folder: Path) -> None:
    expected = ["pod_kingdom_api-1_api | two", "pod_kingdom_api-1_api | three"]
    assert list(follow_logs(folder, "pod/kingdom/api", 2, follow=False)) == expected


def test_all_logs_without_a_name(folder: Path) -> None:
    assert list(follow_logs(folder, None, 1, follow=False)) == [
        "envoy | listening",
        "pod_kingdom_api-1_api | three",
    ]


def test_later_lines_are_followed_also_in_a_new_log(folder: Path) -> None:
    lines = follow_logs(folder, None, 1, follow=True)
    assert [next(lines), next(lines)] == ["envoy | listening", "pod_kingdom_api-1_api | three"]
    with (folder / "envoy.log").open("a") as log:
        log.write("a request")
    (folder / "storage.log").write_text("begun\n")
    assert next(lines) == "storage | begun", "an incomplete line is not shown"
    with (folder / "envoy.log").open("a") as log:
        log.write(" completed\n")
    assert next(lines) == "envoy | a request completed"


@pytest.mark.parametrize("follow", [False, True])
def test_an_unknown_name_is_reported_with_the_existing_logs(folder: Path, follow: bool) -> None:
    with pytest.raises(InputError, match="'worker'") as caught:
        list(follow_logs(folder, "worker", 5, follow))
    assert "envoy" in str(caught.value)
