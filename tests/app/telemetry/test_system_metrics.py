"""System metrics are read from /proc; unavailable ones are omitted."""

from __future__ import annotations

from pathlib import Path

from app.telemetry.system_metrics import SystemMetrics


def samples(proc: Path) -> dict[tuple[str, str], float]:
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in SystemMetrics(proc).collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_unavailable_values_are_omitted(tmp_path: Path) -> None:
    assert samples(tmp_path) == {}
    (tmp_path / "meminfo").write_text("MemTotal: 2048 kB\nMemAvailable: 1024 kB\n")
    assert samples(tmp_path) == {
        ("kingdom_system_memory_bytes", "total"): 2048 * 1024,
        ("kingdom_system_memory_bytes", "available"): 1024 * 1024,
    }


def test_loopback_traffic_is_not_network_traffic(tmp_path: Path) -> None:
    (tmp_path / "self/net").mkdir(parents=True)
    row = "{name}: {received} 0 0 0 0 0 0 0 {sent} 0 0 0 0 0 0 0\n"
    (tmp_path / "self/net/dev").write_text(
        "header\nheader\n"
        + row.format(name="lo", received=1_000, sent=1_000)
        + row.format(name="eth0", received=7, sent=5)
        + row.format(name="eth1", received=1, sent=2)
    )
    assert samples(tmp_path) == {
        ("kingdom_network_bytes_total", "received"): 8,
        ("kingdom_network_bytes_total", "sent"): 7,
    }


def test_the_wait_for_a_cpu_is_in_seconds(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self/schedstat").write_text("681260000 2500000000 17\n")
    assert samples(tmp_path) == {("kingdom_cpu_wait_seconds_total", ""): 2.5}


def test_only_open_sockets_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "self/fd"
    folder.mkdir(parents=True)
    for number, target in enumerate(("socket:[1]", "/dev/null", "socket:[2]")):
        (folder / str(number)).symlink_to(target)
    assert samples(tmp_path) == {("kingdom_network_sockets", ""): 2}
