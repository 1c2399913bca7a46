"""The benchmark runner: lines, JSON and exit code of `make bench`."""

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks._benchmark import Benchmark, Measurement, NotMeasurableError
from benchmarks._registry import Registry, discover

FAST = Benchmark("fast", "tortoise 1.0", "s", "≤ 1.3", lambda: Measurement.max_ratio(1.3, ours=1.0, peer=2.0))
SLOW = Benchmark(
    "slow", "hare 2.0", "req/s", "≥ 3", lambda: Measurement.min_ratio(3, ours=32_900, peer=32_900)
)


def _raises() -> Measurement:
    raise RuntimeError("the peer\nis down")


def _lacks() -> Measurement:
    raise NotMeasurableError("needs Redis 7")


BROKEN = Benchmark("broken", "no peer", "s", "≤ 1", _raises)
ABSENT = Benchmark("absent", "streaq", "jobs/s", "≥ 3", _lacks)


def _registry(*benchmarks: Benchmark) -> Registry:
    return Registry(benchmarks, {})


def test_one_aligned_line_a_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], _registry(FAST, SLOW)) == 1
    heading, fast, slow = capsys.readouterr().out.splitlines()
    for line, status in ((fast, "met"), (slow, "missed")):
        assert line[heading.index("status") :].startswith(status)
    assert "1 s" in fast
    assert "2 s  tortoise 1.0" in fast
    assert "0.5" in fast
    assert "≤ 1.3" in fast
    assert "32,900 req/s" in slow


def test_a_missed_target_fails_the_command_and_a_met_one_does_not() -> None:
    assert main([], _registry(FAST)) == 0
    assert main([], _registry(SLOW)) == 1


def test_a_benchmark_that_raises_is_reported_and_the_rest_still_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([], _registry(BROKEN, FAST)) == 1
    _, broken, fast = capsys.readouterr().out.splitlines()
    assert "failed" in broken
    assert "RuntimeError: the peer is down" in broken
    assert "met" in fast


def test_benchmark_without_its_requirements_is_listed_and_does_not_fail(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([], _registry(ABSENT)) == 0
    assert "not run" in (out := capsys.readouterr().out)
    assert "needs Redis 7" in out


def test_json_is_the_only_thing_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json"], _registry(FAST, BROKEN)) == 1
    captured = capsys.readouterr()
    fast, broken = json.loads(captured.out)["benchmarks"]
    assert (fast["ours"], fast["peer_value"], fast["ratio"], fast["status"]) == (1.0, 2.0, 0.5, "met")
    assert (broken["ours"], broken["status"]) == (None, "failed")
    assert "[1/2] fast" in captured.err


def test_markdown_is_the_table_of_the_readme(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--markdown"], _registry(FAST, ABSENT))
    _, _, fast, absent = capsys.readouterr().out.splitlines()
    assert fast == "| `fast` | 1 s | 2 s tortoise 1.0 | 0.5 | ≤ 1.3 |  |"
    assert absent == "| `absent` |  | streaq |  | ≥ 3 | needs Redis 7 |"


def test_output_outside_a_terminal_has_no_escape_codes(capsys: pytest.CaptureFixture[str]) -> None:
    main([], _registry(FAST, SLOW, BROKEN, ABSENT))
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err


def test_names_choose_and_an_unknown_name_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fast"], _registry(FAST, SLOW)) == 0
    assert "slow" not in capsys.readouterr().out
    assert main(["swift"], _registry(FAST, SLOW)) == 2
    assert "no benchmark named swift; there are: fast, slow" in capsys.readouterr().err


def test_list_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"], _registry(BROKEN)) == 0
    assert capsys.readouterr().out == "broken  against no peer, target ≤ 1\n"


def test_discovery_survives_a_module_that_cannot_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "ranch"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "_private.py").write_text("raise SystemExit('must not be imported')")
    (package / "bad.py").write_text("import nothing_of_that_name")
    (package / "good.py").write_text("from tests.benchmarks.test_benchmarks import FAST\nBENCHMARKS = [FAST]")
    (package / "twin.py").write_text("from tests.benchmarks.test_benchmarks import FAST\nBENCHMARKS = [FAST]")
    monkeypatch.syspath_prepend(tmp_path)
    registry = discover(package, "ranch")
    assert registry.benchmarks == (FAST,)
    assert "ModuleNotFoundError" in registry.broken["bad"]
    assert "already used" in registry.broken["twin"]


def test_every_benchmark_of_the_repository_can_be_discovered() -> None:
    registry = discover()
    assert not registry.broken
    for benchmark in registry.benchmarks:
        assert benchmark.name == benchmark.name.lower().replace(" ", "-")
        assert benchmark.peer, benchmark.name
        assert benchmark.target[0] in "≤≥<>=", benchmark.name
