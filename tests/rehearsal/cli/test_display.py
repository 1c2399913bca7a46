"""Tests of the output of operations."""

from __future__ import annotations

import io

from rich.console import Console

from rehearsal.cli import display
from rehearsal.engine.events import Diagnostic, Op, PropertyChange, Result, Severity, Step
from rehearsal.host.status import HostStatus
from rehearsal.pulumi.properties import Change, Secret
from tests.rehearsal.cli.test_summary import BUCKET, CLUSTER, NETWORK, PROVIDER, STEPS, SUBNET


def _printed(result: Result, *, verbose: bool = False) -> str:
    text = io.StringIO()
    display.show(Console(file=text, width=200, highlight=False), result, verbose=verbose)
    return text.getvalue()


def test_every_operation_has_a_mark_and_words() -> None:
    assert set(Op) - {Op.REFRESH} == set(display._PLANNED) == set(display._DONE)
    assert set(display.MARKS) == set(Op)


def test_summary_counts_new_components_and_lists_changes() -> None:
    changed = Step(
        Op.UPDATE,
        CLUSTER,
        "gcp:sql/databaseInstance:DatabaseInstance",
        True,
        STEPS[4].urn,
        changes=(PropertyChange(("tier",), Change.UPDATE, "small", Secret("large")),),
    )
    result = Result("dev", [*STEPS[:5], changed, STEPS[6]], [Diagnostic(Severity.ERROR, "no quota", CLUSTER)])
    text = _printed(result)
    assert "network   2 created" in text
    assert "subnet" not in text
    assert 'tier: "small" → "[secret]"' in text
    assert "bucket gcp:storage/bucket:Bucket" in text
    assert "default_10_2_0" not in text
    assert "error cluster: no quota" in text


def test_verbose_lists_every_resource() -> None:
    text = _printed(Result("dev", STEPS), verbose=True)
    names = [urn.rpartition("::")[2] for urn in (NETWORK, SUBNET, CLUSTER, BUCKET, PROVIDER)]
    assert [name for name in names if name not in text] == []


def test_limits_are_printed_on_request_only() -> None:
    status = HostStatus("local", endpoints={"site": "https://localhost:8443"}, notes=["network policies"])
    text = io.StringIO()
    console = Console(file=text, width=200, highlight=False)
    display.show_machine(console, status, brief=True)
    display.show_next_steps(console, status)
    assert "not enforced" not in text.getvalue()
    assert "open https://localhost:8443" in text.getvalue()
    display.show_limits(console, status)
    assert "not enforced here: network policies" in text.getvalue()
