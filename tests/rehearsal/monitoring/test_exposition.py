"""Expositions of one target."""

from __future__ import annotations

import pytest

from rehearsal.monitoring.exposition import MAX_SERIES, Exposition

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
    found = exposition.read(TEXT)
    assert found.values == {
        (("__name__", "kingdom_a_total"), ("pod", "api-1"), ("route", "/v1/x y"), ("status", "200")): 5.0
    }
    assert found.invalid == {"kingdom_b"}
    assert exposition.read(TEXT.replace("5.0", "6.5")).values.popitem()[1] == 6.5


def test_a_label_of_the_target_wins() -> None:
    values = Exposition({"pod": "api-1"}, {"a"}).read('a{pod="other"} 1\n').values
    assert list(values) == [(("__name__", "a"), ("exported_pod", "other"), ("pod", "api-1"))]


def test_a_metric_without_samples_is_exported() -> None:
    exposition = Exposition({}, {"kingdom_late_total"})
    exposition.read(TEXT)
    assert exposition.exports("kingdom_late_total")
    assert not exposition.exports("kingdom_renamed")


def test_text_that_is_not_an_exposition_is_refused() -> None:
    with pytest.raises(ValueError, match="could not convert"):
        Exposition({}, {"a"}).read("a <html>\n")


def test_of_a_repeated_series_the_first_value_counts_and_the_metric_is_named() -> None:
    exposition = Exposition({}, {"a"})
    for _ in range(2):
        found = exposition.read('a{x="1"} 1\na{x="1"} 2\na{x="2"} 3\n')
        assert found.values == {(("__name__", "a"), ("x", "1")): 1.0, (("__name__", "a"), ("x", "2")): 3.0}
        assert found.repeated == {"a"}


def test_timestamps_are_ignored_and_words_are_unescaped() -> None:
    exposition = Exposition({}, {"a"})
    for value in ("1.5", "2.5"):
        found = exposition.read(f'a {{x="q\\"}} \\\\ \\n"}} {value}  1700000000{value[0]}00\n')
        assert found.values == {(("__name__", "a"), ("x", 'q"} \\ \n')): float(value)}


@pytest.mark.parametrize(
    "line",
    ['a{x="1" 1', "a{x=1} 1", 'a{,x="1"} 1', 'a{x="1"}', "a", 'a{x="' + "y" * 20_000 + '"} 1', "a 1 2 3"],
)
def test_a_malformed_line_of_a_signal_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"exposition|convert"):
        Exposition({}, {"a"}).read(f"{line}\n")


def test_more_series_than_a_pod_has_are_refused() -> None:
    text = "".join(f'a{{x="{number}"}} 1\n' for number in range(MAX_SERIES + 1))
    with pytest.raises(ValueError, match="a label has too many values"):
        Exposition({}, {"a"}).read(text)


def test_series_that_are_not_exported_any_more_take_no_memory() -> None:
    exposition = Exposition({}, {"a"})
    for turn in range(100):
        exposition.read("".join(f'a{{x="{turn}-{number}"}} 1\n' for number in range(100)))
    assert len(exposition._known) <= 400
