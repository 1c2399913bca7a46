"""The comment of a review: its length limit, its omissions, and the escaping of untrusted text."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearsal.engine.events import Op
from rehearsal.errors import InputError
from rehearsal.review.formats.json_report import report
from rehearsal.review.formats.junit import junit
from rehearsal.review.formats.markdown import MARKER, markdown
from rehearsal.review.formats.markdown_escape import code, prose
from rehearsal.review.formats.sarif import sarif
from rehearsal.review.formats.truncation import COMMENT_LIMIT, Section, fitted, length
from rehearsal.review.review import Review
from tests.rehearsal.review.factories import resource, review_of, stack_of, step, violation


def redis(gib: int) -> Any:
    inputs: dict[str, object] = {"memorySizeGb": gib, "tier": "BASIC", "region": "us-central1"}
    return resource("gcp:redis/instance:Instance", "cache", inputs)


def large(stacks: int, each: int) -> Review:
    return review_of(
        *(
            stack_of(
                f"stack-{number}",
                tuple(
                    step(f"stack-{number}", f"pod-{index}", value=f"{number}/{index} " + "x" * 80)
                    for index in range(each)
                ),
                tuple(violation(f"stack-{number}", f"pod-{index}") for index in range(each)),
            )
            for number in range(stacks)
        )
    )


def test_a_review_without_changes_states_so() -> None:
    text = markdown(review_of(stack_of("dev"), stack_of("prod")))
    assert text.startswith(MARKER)
    assert "✅ No findings. **Nothing changes** in any stack." in text


def test_secrets_are_shown_in_no_format() -> None:
    review = review_of(stack_of("dev", (step("dev", "pod"),), (violation("dev", "pod"),)))
    for text in (markdown(review), json.dumps(report(review)), json.dumps(sarif(review)), junit(review)):
        assert "tiger" not in text
        assert "lion" not in text


def test_the_same_finding_in_two_stacks_is_listed_once() -> None:
    review = review_of(*(stack_of(name, (), (violation(name, "pod"),)) for name in ("dev", "prod")))
    (finding,) = review.findings
    assert finding.stacks == ("dev", "prod")
    assert "`infra/pods.py:12` `pod` in `prod`, `dev`: runs as root" in markdown(review)


def test_capacity_and_costs_are_compared() -> None:
    review = review_of(stack_of("dev", (step("dev", "cache"),), (), (redis(10),), base=(redis(5),)))
    text = markdown(review)
    assert "| `dev` | Redis cache: memory | `5 GiB` | `10 GiB` |" in text
    assert re.search(r"\| `dev` \| `cache` \| Redis BASIC 10 GiB .* \| 99 \| 197 \|", text)
    assert "(+99)" in text


@pytest.mark.parametrize(("stacks", "each"), [(1, 3_000), (4, 600), (60, 40), (400, 2)])
def test_a_comment_fits_and_counts_what_it_leaves_out(stacks: int, each: int) -> None:
    text = markdown(large(stacks, each))
    assert length(text) <= COMMENT_LIMIT
    assert length(text) > COMMENT_LIMIT * 0.8
    assert re.search(r"… and [\d,]+ more of [\d,]+ ", text)
    assert text.count("<details>") == text.count("</details>")
    assert text.count("<summary>") == text.count("</summary>")


def test_other_formats_leave_nothing_out() -> None:
    review = large(4, 600)
    assert sum(len(item["changes"]) for item in report(review)["stacks"]) == 2_400
    assert len(sarif(review)["runs"][0]["results"]) == 600 * 4 / 4
    assert junit(review).count("runs as root") >= 2_400


@given(
    st.lists(
        st.builds(
            Section,
            st.text(max_size=20),
            st.lists(st.text(min_size=1, max_size=80), max_size=30),
            st.text(max_size=10),
            st.just("things"),
        ),
        max_size=8,
    ),
    st.integers(min_value=1_000, max_value=4_000),
)
@settings(max_examples=200, deadline=None)
def test_sections_fit_and_what_is_missing_is_counted(sections: list[Section], limit: int) -> None:
    text = fitted(sections, limit)
    assert length(text) <= limit
    whole = "".join(section.head + "".join(section.items) + section.tail for section in sections)
    assert (text == whole) == (length(whole) <= limit) or "more of" in text


EVIL = "x` | @everyone #12 ![i](https://evil.example/i.png) <img src=x> </details>\n## fake\n```\n[a](b)"


def test_untrusted_text_has_no_markup() -> None:
    review = review_of(
        stack_of("dev", (step("dev", EVIL, value=EVIL),), (violation("dev", "pod", message=EVIL),)),
        stack_of("prod", error=EVIL),
    )
    text = markdown(review)
    outside = re.sub(r"(`{3,})text\n.*?\n\1\n", "", text, flags=re.DOTALL)
    outside = re.sub(r"(?<!`)(`+)(?!`)(?:(?!\n\n).)*?(?<!`)\1(?!`)", "", outside)
    for mark in ("@everyone", "#12", "![", "https://evil", "<img", "\n## fake"):
        assert mark not in outside, mark
    assert outside.count("<details>") == outside.count("</details>")


@given(st.text(max_size=60))
def test_a_code_span_holds_any_text_in_one_line(text: str) -> None:
    span = code(text)
    assert "\n" not in span
    fence = re.match(r"`+", span)
    assert fence is not None
    assert span.endswith(fence[0])
    assert "\n" not in prose(text)


def test_a_failed_review_is_reported_in_every_format() -> None:
    review = Review(ref="nowhere", error=InputError("the base 'nowhere' is not a commit of this repository"))
    assert "❌ **The preview failed**" in markdown(review)
    assert "nowhere" in markdown(review)
    assert report(review)["exitCode"] == 2
    assert "nowhere" in json.dumps(sarif(review))
    assert 'errors="1"' in junit(review)


def test_deletions_are_shown_before_what_is_new() -> None:
    steps = (step("dev", "a", Op.CREATE), step("dev", "b", Op.DELETE), step("dev", "c", Op.REPLACE))
    text = markdown(review_of(stack_of("dev", steps)))
    assert text.index("`-` `b`") < text.index("`±` `c`") < text.index("`+` `a`")
