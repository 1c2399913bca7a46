"""Tests of results of operations."""

from __future__ import annotations

from rehearsal.engine.events import Diagnostic, Op, Result, Severity, Step, Violation

STACK = "urn:pulumi:dev::p::pulumi:pulumi:Stack::p-dev"
DEFAULT = "urn:pulumi:dev::p::pulumi:providers:toy::default"
THING = "urn:pulumi:dev::p::toy:index:Thing::a"


def _step(op: Op, urn: str) -> Step:
    return Step(op, urn, urn.split("::")[2], True)


def test_counts_include_the_stack_but_no_default_providers() -> None:
    result = Result("dev", [_step(Op.SAME, STACK), _step(Op.CREATE, DEFAULT), _step(Op.CREATE, THING)])
    assert result.counts == {Op.SAME: 1, Op.CREATE: 1}
    assert result.changed


def test_reads_are_not_changes() -> None:
    assert not Result("dev", [_step(Op.SAME, STACK), _step(Op.READ, THING)]).changed


def test_logged_errors_do_not_fail_the_operation() -> None:
    logged = Diagnostic(Severity.ERROR, "from the program", logged=True)
    assert Result("dev", diagnostics=[logged]).ok
    assert not Result("dev", diagnostics=[logged, Diagnostic(Severity.ERROR, "failed")]).ok


def test_mandatory_violation_and_interruption_fail_the_operation() -> None:
    assert Result("dev", violations=[Violation("p", "pack", "advisory", "m")]).ok
    assert not Result("dev", violations=[Violation("p", "pack", "mandatory", "m")]).ok
    assert not Result("dev", interrupted=True).ok
