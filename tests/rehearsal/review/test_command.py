"""The review command: one review in several formats, its exit code, and its text."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from rehearsal.errors import InputError
from rehearsal.review import command
from rehearsal.review.command import Format, printed, run
from rehearsal.review.formats.markdown import MARKER
from rehearsal.review.review import Review
from rehearsal.review.rules.weakened import RuleChange
from rehearsal.review.stack_review import StackReview
from tests.rehearsal.review.factories import PROJECT, resource, review_of, stack_of, step, violation

REDIS = "gcp:redis/instance:Instance"


@dataclass
class Run:
    """The result of one run of the command."""

    code: int
    out: str
    err: str
    given: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def run_with(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Run the command with a review, or an error, in place of planned stacks."""

    def start(found: Review | Exception, **options: Any) -> Run:
        given: dict[str, Any] = {}

        def review(project: object, stacks: object, **keywords: Any) -> Review:
            given.update(keywords, stacks=stacks)
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(command, "review", review)
        consoles = [Console(file=io.StringIO(), width=200, highlight=False) for _ in range(2)]
        keywords: dict[str, Any] = {"policies": None, "ref": "main", "format_": Format.TEXT, **options}
        code = run(PROJECT, ["dev"], **keywords, out=consoles[0], err=consoles[1])
        out, err = (console.file.getvalue() for console in consoles)  # type: ignore[attr-defined]
        return Run(code, out, err, given)

    return start


BLOCKED = review_of(stack_of("dev", (step("dev", "pod"),), (violation("dev", "pod"),), base=()))


def test_options_reach_the_review_and_its_exit_code_is_returned(run_with: Callable[..., Run]) -> None:
    done = run_with(BLOCKED, policies=Path("policies"), ref="HEAD^1", head="abc")
    assert done.code == 3
    assert {key: done.given[key] for key in ("stacks", "policies", "ref", "head")} == {
        "stacks": ["dev"],
        "policies": Path("policies"),
        "ref": "HEAD^1",
        "head": "abc",
    }


@pytest.mark.parametrize("format_", [item for item in Format if item is not Format.TEXT])
def test_other_formats_are_printed_whole_and_alone(
    run_with: Callable[..., Run], capsys: pytest.CaptureFixture[str], format_: Format
) -> None:
    done = run_with(BLOCKED, format_=format_)
    assert (done.code, done.out, done.err) == (3, "", "")
    assert capsys.readouterr().out == printed(BLOCKED, format_) + "\n"


def test_each_format_is_valid_and_has_no_line_break_at_its_end() -> None:
    texts = {format_: printed(BLOCKED, format_) for format_ in Format if format_ is not Format.TEXT}
    assert not any(text.endswith("\n") for text in texts.values())
    assert texts[Format.MARKDOWN].startswith(MARKER)
    assert json.loads(texts[Format.JSON])["exitCode"] == 3
    assert json.loads(texts[Format.SARIF])["version"] == "2.1.0"
    assert ET.fromstring(texts[Format.JUNIT]).tag == "testsuites"  # noqa: S314 - our own


def test_review_is_written_to_files_beside_its_output(run_with: Callable[..., Run], tmp_path: Path) -> None:
    files = [(Format.JSON, tmp_path / "a.json"), (Format.JUNIT, tmp_path / "a.xml")]
    run_with(BLOCKED, files=files)
    for format_, path in files:
        assert path.read_text() == printed(BLOCKED, format_) + "\n"
    with pytest.raises(InputError, match=r"nowhere/a\.json cannot be written: No such file or directory"):
        run_with(BLOCKED, files=[(Format.JSON, tmp_path / "nowhere" / "a.json")])


def test_failed_review_is_an_error_in_every_format(
    run_with: Callable[..., Run], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "a.json"
    error = InputError("the base 'x' is not a commit [of this]")
    done = run_with(error, ref="x", files=[(Format.JSON, file)])
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: the base 'x' is not a commit [of this]\n"
    assert json.loads(file.read_text())["error"] == str(error)
    done = run_with(error, ref="x", format_=Format.MARKDOWN)
    assert (done.code, "is not a commit" in capsys.readouterr().out) == (2, True)


def test_text_has_weaker_rules_effects_counts_and_capacity(run_with: Callable[..., Run]) -> None:
    states = [
        resource(REDIS, "cache", {"memorySizeGb": size, "tier": "BASIC", "region": "us-central1"})
        for size in (5, 10)
    ]
    stack = stack_of("dev", (step("dev", "cache"),), (), (states[1],), base=(states[0],))
    change = RuleChange("tls-redis", "disabled", "mandatory", "disabled", ("dev",))
    lines = run_with(replace(review_of(stack), rule_changes=(change,))).out.splitlines()
    assert lines[0] == "weaker rule: tls-redis is disabled (was mandatory) in dev"
    assert "dev: 1 to update, 0 unchanged" in lines
    assert "  Redis cache: memory: 5 GiB → 10 GiB" in lines
    assert [line for line in lines if line.startswith("  USD a month: ") and "(+99)" in line]
    added = stack_of("dev", (step("dev", "cache"),), (), (states[1],), base=())
    lines = run_with(review_of(added)).out.splitlines()
    assert "  Redis cache: memory: (none) → 10 GiB" in lines


def test_text_of_a_failed_or_removed_stack_and_of_a_base_that_fails(run_with: Callable[..., Run]) -> None:
    done = run_with(
        review_of(
            stack_of("dev", error="no [plan]"),
            StackReview("prod", None, None),
            replace(stack_of("qa"), base_error="import nowhere"),
        )
    )
    assert "error: dev: no [plan]" in done.err
    assert (
        "warning: qa: planned as a new stack, because the base cannot be planned: import nowhere" in done.err
    )
    assert "prod: removed" in done.out
    assert "prod: the stack file is deleted" in done.out
    assert done.code == 1
