"""The HTML report: one file, no network, data that can be read back, escaped texts."""

from __future__ import annotations

import re

from rehearsal.report.page import Limit, Marker, Page, Plot, Series, TableBlock, data_of, render

PAGE = Page(
    title="Load test: <peak>",
    result="All targets hold",
    passed=True,
    facts=[("machine", "2 cores & more")],
    tables=[TableBlock("Targets", ("target", "measured"), [("P50", "<1 ms"), ("P95", "2 s")], [1])],
    seconds=[0, 1, 2],
    plots=[Plot("Requests", "/s", [Series("arrivals", [1.0, None, 3.123456789])], [Limit("at most", 5.0)])],
    markers=[Marker(1.5, "api: scaled to 3")],
    notes=("The first 5 s do not count.",),
)


def test_the_data_of_the_plots_is_in_the_file() -> None:
    data = data_of(render(PAGE))
    assert data["seconds"] == [0, 1, 2]
    assert data["plots"][0]["series"] == [{"name": "arrivals", "values": [1.0, None, 3.12346]}]
    assert data["plots"][0]["limits"] == [{"name": "at most", "value": 5.0}]
    assert data["markers"] == [{"at": 1.5, "text": "api: scaled to 3"}]


def test_nothing_is_loaded_from_a_network() -> None:
    html = render(PAGE)
    assert "default-src 'none'" in html
    assert not re.search(r"<(link|img|iframe)\b|\bsrc=|@import|url\(", html)
    assert "{{" not in re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)


def test_texts_are_escaped_and_failed_rows_marked() -> None:
    html = render(PAGE)
    assert "<title>Load test: &lt;peak&gt;</title>" in html
    assert "<dd>2 cores &amp; more</dd>" in html
    assert '<tr class="bad"><td>P95</td>' in html
    assert "<tr><td>P50</td><td>&lt;1 ms</td>" in html
    assert "api: scaled to 3" in html


def test_light_dark_and_print_have_styles() -> None:
    html = render(PAGE)
    assert "color-scheme: light dark" in html
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_the_same_page_is_the_same_file() -> None:
    assert render(PAGE) == render(PAGE)


def test_the_page_has_a_main_landmark_and_tables_can_be_scrolled_with_the_keyboard() -> None:
    html = render(PAGE)
    assert html.count("<main>") == html.count("</main>") == 1
    assert '<div class="wide" tabindex="0" role="region" aria-label="Targets">' in html
    assert "wide.tabIndex = 0" in html
