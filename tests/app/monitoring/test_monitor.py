"""The `monitor` role as a process, with a Prometheus HTTP API and a storage emulator."""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.app.monitoring.prometheus_server import TOKEN, PrometheusServer, serving
from tests.support.backends import ROOT, Process, free_port, wait_for

NAMES = ("requests", "replicas", "max-replicas", "memory")
SIGNALS: dict[str, Any] = {
    "signals": {
        name: {"name": name, "title": name.title(), "unit": "1", "query": f"query of {name}"}
        for name in NAMES
    },
    "dashboards": {"system": [{"title": "Memory", "lines": {"": "memory"}}]},
    "objectives": {"availability": "bad share within $window"},
    "allowed": {"availability": 0.001},
}
SIGNALS["signals"]["memory"] |= {
    "worse": "above",
    "trend": True,
    "by": ["role"],
    "threshold": {"warning": 500, "critical": 600},
}
Line = tuple[dict[str, str], Callable[[float], str]]


def constant(value: str, **labels: str) -> list[Line]:
    return [(labels, lambda _: value)]


def leaking(share: float) -> str:
    """A value that is steady for half of a window and then rises, with noise."""
    return str(100 + 600 * max(0.0, share - 0.5) + math.sin(500 * share))


LINES: dict[str, list[Line]] = {
    "query of requests": constant("12"),
    "query of replicas": constant("3", hpa="api"),
    "query of max-replicas": constant("4", hpa="api"),
    "query of memory": [({"role": "api"}, leaking)],
    "bad share within 5m": constant("0.0005"),
}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a storage emulator with the bucket `reports`."""
    folder, port = tmp_path_factory.mktemp("storage"), free_port()
    command = [sys.executable, "-m", "rehearsal.host.backends.storage_server", str(folder), str(port)]
    emulator = Process(command, port, folder / "storage.log")
    emulator.start()
    url = f"http://127.0.0.1:{port}"
    httpx.post(f"{url}/storage/v1/b", json={"name": "reports"}).raise_for_status()
    yield url
    emulator.kill()


@pytest.fixture
def environ(tmp_path: Path, endpoint: str) -> dict[str, str]:
    """The environment of the role, without a source."""
    signals = tmp_path / "signals.json"
    signals.write_text(json.dumps(SIGNALS))
    return {
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
        "KINGDOM_ENVIRONMENT": tmp_path.name,  # part of the names of the objects
        "KINGDOM_PROMETHEUS_URL": f"http://127.0.0.1:{free_port()}",
        "KINGDOM_SIGNALS_FILE": str(signals),
        "KINGDOM_REPORT_BUCKET": "reports",
        "KINGDOM_STORAGE_ENDPOINT": endpoint,
        "KINGDOM_REPORT_SECONDS": "36000",
        "KINGDOM_MONITOR_DEADLINE_SECONDS": "60",
        "KINGDOM_MONITOR_SCRAPE_SECONDS": "0",
    }


def begun(environ: Mapping[str, str], folder: Path) -> Process:
    """The role as a process that listens."""
    command = [sys.executable, "-m", "app", "monitor"]
    process = Process(command, int(environ["PORT"]), folder / "monitor.log", environ)
    process.start()
    return process


def ended(environ: Mapping[str, str]) -> tuple[int, str]:
    """The exit code of the role and what it printed."""
    found = subprocess.run(
        [sys.executable, "-m", "app", "monitor"],
        env={**os.environ, **environ}, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in found.stdout + found.stderr
    return found.returncode, found.stdout + found.stderr


def objects(environ: Mapping[str, str]) -> dict[str, str]:
    """The objects that the role has written, by the extension of their names."""
    base = f"{environ['KINGDOM_STORAGE_ENDPOINT']}/storage/v1/b/reports/o"
    listed = httpx.get(base).json().get("items", [])
    names = [item["name"] for item in listed if f"/{environ['KINGDOM_ENVIRONMENT']}-" in item["name"]]
    return {
        name.rpartition(".")[2]: httpx.get(f"{base}/{quote(name, safe='')}", params={"alt": "media"}).text
        for name in names
    }


def metrics(process: Process) -> dict[str, float]:
    """The exported samples, once the findings are among them."""
    text = ""

    def exported() -> bool:
        nonlocal text
        text = httpx.get(f"http://127.0.0.1:{process.port}/metrics", timeout=5).text
        return "kingdom_trend_findings" in text

    wait_for("metrics", exported)
    samples = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


@pytest.mark.slow
def test_a_leak_is_in_the_report_and_in_the_metrics(environ: dict[str, str], tmp_path: Path) -> None:
    with serving(PrometheusServer(LINES)) as source:
        host = f"127.0.0.1:{source.port}"
        environ |= {
            "KINGDOM_PROMETHEUS_URL": source.url,
            "KINGDOM_PROMETHEUS_AUTH": "google",
            "GCE_METADATA_HOST": host,
            "GCE_METADATA_IP": host,
            "KINGDOM_MONITOR_SCRAPE_SECONDS": "59",
        }
        process = begun(environ, tmp_path)
        try:
            found = metrics(process)
            wait_for("report", lambda: objects(environ).keys() == {"html", "json"})
            # SIGTERM while the metrics wait for scrapes ends a run that has done its work.
            assert process.stop() == 0, process.log.read_text()
        finally:
            process.kill()
    assert source.tokens == {f"Bearer {TOKEN}"}
    assert found["kingdom_trend_findings"] == 1
    line = '{line="api",signal="memory"}'
    assert found[f"kingdom_trend_change_ratio{line}"] == pytest.approx(3, rel=0.1)
    age = (
        found["kingdom_trend_report_timestamp_seconds"]
        - found[f"kingdom_trend_onset_timestamp_seconds{line}"]
    )
    assert age == pytest.approx(18_000, rel=0.1)
    assert found[f"kingdom_trend_threshold_seconds{line}"] == pytest.approx(6000, rel=0.2)
    written = objects(environ)
    report = json.loads(written["json"])
    assert [finding["signal"] for finding in report["findings"]] == ["memory"]
    assert report["budgets"][0]["used"] == pytest.approx(0.5)
    assert "Memory of api is drifting" in written["html"]


def test_a_source_that_is_unavailable_is_named(environ: dict[str, str]) -> None:
    code, text = ended(environ)
    assert code == 1
    assert "monitor failed: metrics source" in text
    assert f"{environ['KINGDOM_PROMETHEUS_URL']} is unavailable" in text
    assert objects(environ) == {}


def test_a_refused_token_is_named_with_the_role_that_is_missing(environ: dict[str, str]) -> None:
    with serving(PrometheusServer(LINES, status=403)) as source:
        code, text = ended(environ | {"KINGDOM_PROMETHEUS_URL": source.url})
    assert code == 1
    assert "refused access (403" in text
    assert "roles/monitoring.viewer" in text


@pytest.mark.slow
def test_without_a_metadata_server_the_token_is_named(environ: dict[str, str]) -> None:
    host = f"127.0.0.1:{free_port()}"
    nowhere = {"GCE_METADATA_HOST": host, "GCE_METADATA_IP": host, "GCE_METADATA_TIMEOUT": "1"}
    code, text = ended(environ | nowhere | {"KINGDOM_PROMETHEUS_AUTH": "google", "HOME": "/nonexistent"})
    assert code == 1
    assert "no access token for https://www.googleapis.com/auth/monitoring.read" in text


def test_findings_are_exported_although_the_report_is_refused(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with serving(PrometheusServer(LINES)) as source:
        environ |= {
            "KINGDOM_PROMETHEUS_URL": source.url,
            "KINGDOM_REPORT_BUCKET": "absent",
            "KINGDOM_MONITOR_SCRAPE_SECONDS": "59",
        }
        process = begun(environ, tmp_path)
        try:
            assert metrics(process)["kingdom_trend_findings"] == 1
            wait_for("refusal", lambda: "report not written" in process.log.read_text())
            assert process.stop() == 1
        finally:
            process.kill()
    text = process.log.read_text()
    assert '"bucket":"absent"' in text
    assert "roles/storage.objectCreator" in text


@pytest.mark.parametrize("lines", [{}, dict.fromkeys(LINES, constant("NaN"))], ids=["empty", "not numbers"])
def test_a_source_without_values_gives_a_report_that_states_it(
    environ: dict[str, str], lines: dict[str, list[Line]]
) -> None:
    with serving(PrometheusServer(lines)) as source:
        code, text = ended(environ | {"KINGDOM_PROMETHEUS_URL": source.url})
    assert code == 0, text
    assert "no signal has a value" in text
    written = objects(environ)
    report = json.loads(written["json"])
    assert report["findings"] == []
    assert report["problems"] == [
        "No signal had a value in the period: check that KINGDOM_PROMETHEUS_URL is that of this environment."
    ]
    assert "No signal had a value" in written["html"]


def test_the_deadline_ends_a_run_whose_source_hangs(environ: dict[str, str]) -> None:
    with serving(PrometheusServer(LINES, hangs=True)) as source:
        code, text = ended(
            environ | {"KINGDOM_PROMETHEUS_URL": source.url, "KINGDOM_MONITOR_DEADLINE_SECONDS": "1"}
        )
    assert code == 1
    assert '"reason":"the deadline of 1 s"' in text


def test_sigterm_ends_a_run_whose_source_hangs(environ: dict[str, str], tmp_path: Path) -> None:
    with serving(PrometheusServer(LINES, hangs=True)) as source:
        process = begun(environ | {"KINGDOM_PROMETHEUS_URL": source.url}, tmp_path)
        try:
            wait_for("a query", source.queried.is_set)
            assert process.stop() == 1
        finally:
            process.kill()
    assert '"reason":"SIGTERM"' in process.log.read_text()


def test_a_port_in_use_is_named(environ: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", int(environ["PORT"]))):
        code, text = ended(environ)
    assert code == 1
    assert "monitor failed: port unavailable" in text


def test_all_invalid_settings_are_reported_at_once(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "signals.json").write_text(
        '{"signals": {}, "dashboards": {}, "objectives": {}, "allowed": {}}'
    )
    wrong = {
        "KINGDOM_PROMETHEUS_URL": "http://prometheus.example.com",
        "KINGDOM_PROMETHEUS_AUTH": "basic",
        "KINGDOM_REPORT_BUCKET": "",
        "KINGDOM_MONITOR_SCRAPE_SECONDS": "60",
    }
    code, text = ended(environ | wrong)
    assert code == 2
    for expected in (
        "KINGDOM_PROMETHEUS_URL has no TLS",
        "KINGDOM_PROMETHEUS_AUTH is 'basic'; it must be one of none, google",
        "KINGDOM_REPORT_BUCKET is empty",
        "lacks the signals requests, replicas, max-replicas",
        "KINGDOM_MONITOR_SCRAPE_SECONDS is 60; it must be less than",
    ):
        assert expected in text
