"""YAML text as JSON values, within bounds of depth and size."""

from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearsal.policy.yaml_documents import MAX_DEPTH, TooLargeError, documents
from rehearsal.pulumi import gc_pause

TEXTS: dict[str, object] = {
    "a: 1\nb: [x, 2.5, true, null, ~, '']\n": {"a": 1, "b": ["x", 2.5, True, None, None, ""]},
    "8080: a\ntrue: b\nnull: c\n1.5: d\n": {"8080": "a", "true": "b", "null": "c", "1.5": "d"},
    "on: yes\nmode: 0o644\nold: 0644\n": {"true": True, "mode": 420, "old": 420},
    "a: y\nb: N\nc: 1e3\nd: 08\ne: 0b11\nf: -0x1f\ng: .5\nh: 12e400\ni: =\nj: +1\n": {
        "a": True,
        "b": False,
        "c": 1000,
        "d": 8,
        "e": 3,
        "f": -31,
        "g": 0.5,
        "h": "12e400",
        "i": "=",
        "j": 1,
    },
    "a: 1:30\nb: 2026-01-01 10:00:00\nc: 22:22\nd: 1.2.3\ne: 99999999999999999999999\nf: 0x\n": {
        "a": "1:30",
        "b": "2026-01-01 10:00:00",
        "c": "22:22",
        "d": "1.2.3",
        "e": 99999999999999999999999.0,
        "f": "0x",
    },
    "at: 2026-01-01\n": {"at": "2026-01-01"},
    "a: 0\nb: -1\nc: 0x1F\nd: 1_000\ne: 12345678901234567890\nf: True\ng: 12:30\n": {
        "a": 0,
        "b": -1,
        "c": 31,
        "d": 1000,
        "e": 12345678901234567890,
        "f": True,
        "g": "12:30",
    },
    "1: a\ntrue: b\n1.5: c\nat: 2026-01-01\n": {"1": "a", "true": "b", "1.5": "c", "at": "2026-01-01"},
    "{.inf: a, 007: b}": {"inf": "a", "7": "b"},
    "a: &x {k: v}\nb: *x\nc:\n  <<: *x\n  m: 1\n": {
        "a": {"k": "v"},
        "b": {"k": "v"},
        "c": {"k": "v", "m": 1},
    },
    "a: !!str 1\nb: !!binary aGk=\nc: !!int 0o7\nd: !!float 1\n": {"a": "1", "b": "hi", "c": 7, "d": 1.0},
    "a: &x 1\nb: &x 2\nc: *x\nd: [&y é, *x, *y]\n": {"a": 1, "b": 2, "c": 2, "d": ["é", 2, "é"]},
    "\ufeffa: &x {b: &x 1}\nc: *x\n": {"a": {"b": 1}, "c": 1},
    "a: !Ref 5\nb: !Sub [x, y]\nc: !m {d: 1}\ne: !!java.x f\ng: !vault |\n  h\n": {
        "a": "5",
        "b": ["x", True],
        "c": {"d": 1},
        "e": "f",
        "g": "h\n",
    },
    "!top\na: !!set {b, c}\n": {"a": {"b": None, "c": None}},
    "a: 1\na: 2\n": {"a": 2},
    "a: |\n  *not an alias\n  & not an anchor\n": {"a": "*not an alias\n& not an anchor\n"},
    '{"a":\t"\\ud83d\\ude00"}': {"a": "😀"},
}


@pytest.mark.parametrize("text", TEXTS)
def test_values_are_those_that_kubectl_sends(text: str) -> None:
    assert [item.value for item in documents(text)] == [TEXTS[text]]


def test_anchors_may_be_declared_again_in_a_later_document() -> None:
    found = documents("a: &x 1\n---\nb: &x 2\nc: &x 3\nd: *x\n---\ne: [1\n")
    assert [next(found).value for _ in range(2)] == [{"a": 1}, {"b": 2, "c": 3, "d": 3}]
    with pytest.raises(yaml.YAMLError):
        next(found)


def test_an_undefined_alias_is_an_error() -> None:
    with pytest.raises(yaml.YAMLError, match="undefined alias"):
        list(documents("a: &x 1\nb: &x 2\nc: *y\n"))


def test_objects_of_a_stream_of_json_have_their_lines() -> None:
    found = list(documents('{"a": 1}\n\n{"a":\n2} {"a": [3]}\n'))
    assert [(item.value, item.tree and item.tree.start_mark.line) for item in found] == [
        ({"a": 1}, 0),
        ({"a": 2}, 2),
        ({"a": [3]}, 3),
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=12,
    )
)
def test_values_survive_a_round_trip(value: object) -> None:
    text = yaml.safe_dump(value)
    assert [item.value for item in documents(text)] == [value]


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan"])
def test_number_that_json_lacks_is_reported_with_its_line(number: str) -> None:
    [found] = documents(f"a: 1\nb:\n- {number}\n")
    assert (found.value, found.bad_number_line) == (None, 3)


@pytest.mark.parametrize("value", ["!!bool x", '!!int ""', "!!float x.y", "!thing {[a]: b}"])
def test_value_that_does_not_fit_its_tag_is_a_yaml_error(value: str) -> None:
    with pytest.raises((yaml.YAMLError, ValueError)):
        list(documents(f"a: {value}\n"))


DEEP = {
    "flow": "[" * (MAX_DEPTH + 1),
    "dashes": "- " * (MAX_DEPTH + 1),
    "indentation": "".join(f"{' ' * at}a:\n" for at in range(MAX_DEPTH + 1)),
    "questions": "? " * (MAX_DEPTH + 1),
    **{
        f"indentation after {line_break!a}": "".join(
            f"{' ' * at}a:{line_break}" for at in range(MAX_DEPTH + 1)
        )
        for line_break in ("\r", "\x85", "\u2028")
    },
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_deep_document_is_refused_before_the_parser_recurses(text: str) -> None:
    with pytest.raises(TooLargeError):
        list(documents(text))


def test_aliases_that_expand_without_end_are_refused() -> None:
    levels = "".join(f"l{at + 1}: &l{at + 1} [{', '.join([f'*l{at}'] * 9)}]\n" for at in range(12))
    with pytest.raises(TooLargeError):
        list(documents(f"l0: &l0 [x]\n{levels}"))


def test_time_grows_with_the_number_of_anchors() -> None:
    def seconds(count: int) -> float:
        text = "".join(f"- &a{number} {{}}\n" for number in range(count))
        with gc_pause.off():
            started = time.process_time()
            [document] = documents(text)
            taken = time.process_time() - started
        assert len(document.value) == count
        return taken

    # Takes a tenth of a second. A search of the text for each anchor took 12 s for 40,000 of them.
    assert seconds(40_000) < 40 * max(0.1, seconds(4_000))
