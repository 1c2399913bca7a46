"""Expositions of one target."""

from __future__ import annotations

import pytest

from rehearsal.monitoring.exposition import Exposition

TEXT = """# HELP kingdom_a_total Help.
# TYPE kingdom_a_total counter
kingdom_a_total{route="/v1/x y",status="200"} 5.0
# TYPE kingdom_b gauge
kingdom_b NaN
# TYPE kingdom_late counter
kingdom_other 7
"""


def test_values_get_the_labels_of_the_target() -> None:
    exposition = Exposition({"pod": "api-1"}, {"kingdom_a_total", "kingdom_b"})
    values, invalid = exposition.read(TEXT)
    assert values == {
        (("__name__", "kingdom_a_total"), ("pod", "api-1"), ("route", "/v1/x y"), ("status", "200")): 5.0
    }
    assert invalid == {"kingdom_b"}
    assert exposition.read(TEXT.replace("5.0", "6.5"))[0].popitem()[1] == 6.5


def test_a_label_of_the_target_wins() -> None:
    values, _ = Exposition({"pod": "api-1"}, {"a"}).read('a{pod="other"} 1\n')
    assert list(values) == [(("__name__", "a"), ("exported_pod", "other"), ("pod", "api-1"))]


def test_a_metric_without_samples_is_exported() -> None:
    exposition = Exposition({}, {"kingdom_late_total"})
    exposition.read(TEXT)
    assert exposition.exports("kingdom_late_total")
    assert not exposition.exports("kingdom_renamed")


def test_text_that_is_no_exposition_is_refused() -> None:
    with pytest.raises(ValueError, match="could not convert"):
        Exposition({}, {"a"}).read("a <html>\n")
