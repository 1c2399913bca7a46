"""Secrets of the configuration are hidden in what an operation reports, and stay in its records."""

from __future__ import annotations

from rehearsal.engine.events import Change, Op, PropertyChange, Result, Step, Violation
from rehearsal.engine.program.secret_filter import SecretFilter
from rehearsal.pulumi.properties import Secret

URN = "urn:pulumi:test::toys::toy:index:Thing::a"


def test_secrets_are_replaced_wherever_they_are_in_a_text() -> None:
    hidden = SecretFilter(["s3cret", "s3cret-long", 'quo"ted'])
    assert hidden.text("of s3cret-long and s3crets") == "of [secret] and [secret]s"
    assert hidden.text('{"a": "quo\\"ted"}') == '{"a": "[secret]"}'
    assert SecretFilter().text("any") == "any"


def test_short_texts_and_booleans_are_not_replaced() -> None:
    hidden = SecretFilter(["ab", "true", "False", "ä"])
    assert hidden.text("ab true False ä") == "ab true False ä"


def test_values_that_are_secret_stay() -> None:
    hidden = SecretFilter(["s3cret"])
    value = {"a": ["s3cret", 1, None], "b": Secret("s3cret")}
    assert hidden.value(value) == {"a": ["[secret]", 1, None], "b": Secret("s3cret")}


def test_result_has_no_secret_in_changes_findings_and_outputs() -> None:
    change = PropertyChange(("x",), Change.UPDATE, "old", "s3cret")
    result = Result(
        "test",
        steps=(Step(Op.UPDATE, URN, "toy:index:Thing", True, changes=(change,)),),
        violations=(Violation("p", "pack", "mandatory", "x is s3cret"),),
        outputs={"x": "s3cret"},
    )
    shown = SecretFilter(["s3cret"]).result(result)
    assert (shown.steps[0].changes[0].old, shown.steps[0].changes[0].new) == ("old", "[secret]")
    assert (shown.violations[0].message, shown.outputs) == ("x is [secret]", {"x": "[secret]"})
