"""The dashboard over HTTP, and its page in Chromium."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from app.monitoring.prometheus import PrometheusSource
from rehearsal.dashboard.process import ENVIRONMENT
from rehearsal.dashboard.server import build
from rehearsal.dashboard.views import RANGES, TABS
from rehearsal.monitoring.alerts import Alerts
from rehearsal.monitoring.early_warning import EarlyWarning
from rehearsal.monitoring.recorder import Recorder
from rehearsal.monitoring.store import Recording
from rehearsal.monitoring.webhook import SECRET, URL
from rehearsal.pulumi.project import Project
from tests.rehearsal.dashboard.serving import recorded, served
from tests.rehearsal.monitoring.recording import MadeUp
from tests.repository._tree import ROOT

CHROMIUM = shutil.which("chromium")
AXE = ROOT / "mobile" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def dashboard() -> Iterator[tuple[str, Recorder]]:
    parts = recorded()
    with served(*parts) as url:
        yield url, parts[0]


def test_the_overview_has_state_alerts_budget_and_numbers(dashboard: tuple[str, Recorder]) -> None:
    data = httpx.get(f"{dashboard[0]}/api/overview").json()
    assert data["running"] is True
    assert {item["objective"] for item in data["budget"]} == {"availability", "latency"}
    assert all(item["share"] is not None for item in data["budget"])
    assert {alert["signal"] for alert in data["alerts"]} >= {"errors"}
    assert "Requests" in {item["title"] for item in data["numbers"]}


@pytest.mark.parametrize(
    "tab", ["system", "application", "queue", "cache", "database", "business", "autoscaling"]
)
def test_every_tab_has_panels_with_values(dashboard: tuple[str, Recorder], tab: str) -> None:
    data = httpx.get(f"{dashboard[0]}/api/panels/{tab}?range=15m").json()
    assert data["panels"]
    for panel in data["panels"]:
        assert panel["series"], panel["title"]
        for line in panel["series"]:
            assert len(line["values"]) == len(data["times"])
    assert {"deployment", "scaling", "drill"} <= {event["kind"] for event in data["events"]}


def test_a_webhook_that_hangs_does_not_delay_the_recorder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, "0123456789abcdef")
    with socket.create_server(("127.0.0.1", 0)) as silent, closing(Recording(None)) as store:
        monkeypatch.setenv(URL, f"http://127.0.0.1:{silent.getsockname()[1]}/")
        recorder, alerts, _, notifications = build(Project.at(ROOT), "local", store, MadeUp())
        assert notifications is not None
        began = time.monotonic()
        for at in range(1000, 1315, 15):
            alerts.update(float(at), {recorder.signals.signals["errors"].query: {(): 50.0}})
        assert time.monotonic() - began < 2, "the recorder waited for the receiver"
        assert [event.kind for event in store.events(0, time.time())] == ["alert"]
        connection, _ = silent.accept()  # the alert is being sent
        with connection:
            assert connection.recv(4) == b"POST"
        silent.close()
        notifications.close()
        found = store.events(0, time.time())
        assert "is unavailable" in next(event.title for event in found if event.kind == "source")


def test_range_query_of_prometheus_is_served(dashboard: tuple[str, Recorder]) -> None:
    url, recorder = dashboard
    with closing(PrometheusSource(url)) as source:
        query = recorder.signals.signals["requests"].query
        assert source.query_range(query, recorder.at - 300, recorder.at, 15.0) == recorder.query_range(
            query, recorder.at - 300, recorder.at, 15.0
        )


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/api/events?start=abc", "start is not a number"),
        ("/api/v1/query_range?query=up&start=0&end=nan&step=15", "end is not a number"),
        ("/api/v1/query_range?query=up&start=0&end=60", "step is not a number"),
        ("/api/v1/query_range?query=up&start=0&end=60&step=0", "is not 1 to 11000 values"),
        ("/api/v1/query_range?query=up&start=0&end=9e9&step=1", "is not 1 to 11000 values"),
        ("/api/v1/query_range?query=sum(&start=0&end=60&step=15", "expected"),
        ("/api/v1/query_range?query=rate(up)&start=0&end=60&step=15", "takes one range"),
    ],
)
def test_a_query_that_cannot_be_evaluated_is_explained(
    dashboard: tuple[str, Recorder], path: str, problem: str
) -> None:
    response = httpx.get(dashboard[0] + path)
    assert response.status_code == 400
    assert problem in response.json()["error"]


def test_only_queries_with_a_length_are_posted(dashboard: tuple[str, Recorder]) -> None:
    url = f"{dashboard[0]}/api/v1/query_range"
    assert httpx.post(f"{dashboard[0]}/api/overview", data={"a": "b"}).status_code == 405
    assert httpx.post(url, content=b"x" * 100_000).status_code == 413
    assert httpx.head(f"{dashboard[0]}/api/overview").content == b""


_DAY: Final = """
import json, sys, threading, urllib.request
from pathlib import Path
from rehearsal.dashboard.server import Dashboard, DashboardServer, build
from rehearsal.monitoring.clock import RecordingClock
from rehearsal.monitoring.platform import PlatformState, ScrapeTarget
from rehearsal.monitoring.store import Recording
from rehearsal.pulumi.project import Project

class Pods:
    wall, turn = 1_700_000_000.0, 0

    def observe(self, at):
        return PlatformState([ScrapeTarget(f"pod-{n}", 1, {"pod": str(n), "job": "api"}) for n in range(7)])

    def fetch(self, target, seconds):
        return "".join(
            f'kingdom_http_request_seconds_bucket{{method="GET",route="/v1/{route}",status="{status}",le="{le}"}}'
            f" {self.turn * (route + 3) + le}.0\\n"
            for route in range(24) for status in (200, 404) for le in range(15)
        )

pods = Pods()
store = Recording(Path(sys.argv[1]))
recorder, alerts, warnings, _ = build(Project.at(Path.cwd()), "local", store, pods)
recorder._fetch, recorder._clock = pods.fetch, RecordingClock(0.0, lambda: pods.wall, lambda: pods.wall)
server = DashboardServer(Dashboard(recorder, alerts, warnings, "local"), 0)
threading.Thread(target=server.serve_forever, daemon=True).start()
for pods.turn in range(60):
    recorder.step()
    pods.wall += 15
    if pods.turn % 30 == 0:
        for path in ("overview", "panels/application?range=1h"):
            urllib.request.urlopen(f"http://127.0.0.1:{server.server_address[1]}/api/{path}").read()
status = Path("/proc/self/status").read_text()
print(json.dumps({"kib": int(status.split("VmRSS:")[1].split()[0]), "problems": recorder.problems}))
store.close()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the resident memory from /proc")
def test_recording_five_thousand_series_takes_less_than_a_hundred_megabytes(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", _DAY, str(tmp_path / "recording.duckdb")],
        cwd=ROOT, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    result = json.loads(found.stdout)
    assert result["problems"] == {}
    assert result["kib"] * 1024 < 100_000_000


def test_only_loopback_names_are_served(dashboard: tuple[str, Recorder]) -> None:
    response = httpx.get(f"{dashboard[0]}/api/overview", headers={"host": "attacker.example:80"})
    assert response.status_code == 421


@pytest.mark.parametrize(
    "path",
    ["/api/panels/unknown", "/api/panels/system?range=5y", "/static/server.py", "/static/..%2fserver.py"],
)
def test_unknown_paths_return_404(dashboard: tuple[str, Recorder], path: str) -> None:
    assert httpx.get(dashboard[0] + path).status_code == 404


def test_page_loads_nothing_from_other_origins(dashboard: tuple[str, Recorder]) -> None:
    response = httpx.get(dashboard[0])
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert not re.search(r"https?://", response.text)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not on PATH: install the package `chromium` to test the page")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


def test_the_page_works_with_the_keyboard_and_on_a_phone(
    dashboard: tuple[str, Recorder], browser: Any
) -> None:
    messages: list[str] = []
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")

    def log(message: Any) -> None:
        messages.append(str(getattr(message, "text", message)))

    page.on("console", log)
    page.on("pageerror", log)
    page.goto(dashboard[0])
    page.wait_for_selector(".numbers")
    assert "active alerts" in page.inner_text("#state")
    link = page.locator("nav a", has_text="Application")
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".panel canvas")
    assert page.inner_text("#title") == "Application"
    assert link.get_attribute("aria-current") == "page"
    # Every plot has a text and a table of its values.
    plots = page.locator(".plot")
    for index in range(plots.count()):
        assert "last" in plots.nth(index).get_attribute("aria-label")
    assert page.locator(".panel details table").count() == plots.count()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert "api: new revision" in page.inner_text("#body")
    # A band states how long it lasted, and its parameters.
    assert "50 s, seed 7" in page.inner_text("#body")
    page.select_option("#range", "15m")
    page.wait_for_function("() => document.querySelectorAll('.panel canvas').length > 5")
    assert messages == []
    page.close()


@contextmanager
def opened(
    browser: Any, url: str, scheme: str = "light", width: int = 1280
) -> Iterator[tuple[Any, list[str]]]:
    """A page of the dashboard, with its console messages. Its policy does not refuse scripts of tests."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True, locale="en-US"
    )
    page = context.new_page()
    messages: list[str] = []

    def log(message: Any) -> None:
        messages.append(str(getattr(message, "text", message)))

    page.on("console", log)
    page.on("pageerror", log)
    page.goto(url)
    try:
        yield page, messages
    finally:
        context.close()


def show(page: Any, tab: str, shown: str = "") -> None:
    """Open a tab and wait until its content is there."""
    # Remove the content of the previous tab, for which the wait would end at once.
    page.evaluate("document.getElementById('body').replaceChildren()")
    page.evaluate(f"location.hash = '#{tab}'")
    page.evaluate("navigate()")
    page.wait_for_selector(shown or (".numbers" if tab == "overview" else ".panel canvas"))


def violations(page: Any) -> list[tuple[str, str, str]]:
    """Violations that axe reports: the rule, the impact, and the first element."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: run `make mobile-test`")
    page.evaluate(AXE.read_text())
    found = page.evaluate("() => axe.run()")
    assert found["passes"]
    return [(item["id"], item["impact"], item["nodes"][0]["html"][:200]) for item in found["violations"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_on_any_tab(
    dashboard: tuple[str, Recorder], browser: Any, scheme: str, width: int
) -> None:
    with opened(browser, dashboard[0], scheme, width) as (page, messages):
        for tab in ("overview", *TABS):
            show(page, tab)
            # With the tables of values too.
            page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
            assert violations(page) == [], tab
            assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
        assert messages == []


@pytest.mark.parametrize(
    "period", ["1h", *(pytest.param(period, marks=pytest.mark.slow) for period in RANGES if period != "1h")]
)
def test_every_tab_shows_every_time_range(dashboard: tuple[str, Recorder], browser: Any, period: str) -> None:
    with opened(browser, dashboard[0]) as (page, messages):
        page.select_option("#range", period)
        for tab in TABS:
            show(page, tab)
            assert page.locator(".panel").count() == page.locator(".panel canvas").count() > 0
        # Times of another day have a date.
        assert re.search(r"recorded at Nov \d+, 2023, ", page.inner_text("#state"))
        assert messages == []


def test_a_dashboard_without_a_recording_states_it(browser: Any) -> None:
    made_up = MadeUp(running=False)
    recorder = made_up.recorder()
    with (
        served(recorder, Alerts(lambda: recorder.signals), EarlyWarning(recorder)) as url,
        opened(browser, url) as (page, messages),
    ):
        page.wait_for_selector(".numbers")
        assert page.inner_text("#state") == (
            "The platform does not run; 0 active alerts; nothing is recorded yet"
        )
        assert "no requests" in page.inner_text("#body")
        for tab in TABS:
            show(page, tab, ".panel")
            assert page.locator(".panel canvas").count() == 0
            assert "Nothing was measured in this time range." in page.inner_text("#body")
            assert "No event in this time range." in page.inner_text("#body")
            assert violations(page) == []
        assert messages == []


def abort(route: Any) -> None:
    route.abort()


def test_an_unavailable_server_is_stated_and_its_return_is_noticed(browser: Any) -> None:
    parts = recorded(3)
    with served(*parts) as url, opened(browser, url) as (page, _):
        page.wait_for_selector(".numbers")
        page.route("**/api/**", abort)
        page.evaluate("location.hash = '#system'")
        page.wait_for_function("() => document.getElementById('state').textContent.includes('unavailable')")
        assert "run kingdom dashboard" in page.inner_text("#state")
        assert violations(page) == []
        page.unroute("**/api/**")
        page.evaluate("refresh()")
        page.wait_for_selector(".panel canvas")
        assert "recorded at" in page.inner_text("#state")
