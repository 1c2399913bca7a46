"""Calls of functions without a model: known in a preview after the update that made them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import struct_pb2

from rehearsal.engine.events import Op, Silent
from rehearsal.engine.program.function_calls import FunctionCalls
from rehearsal.pulumi.properties import UNKNOWN, encode
from tests.rehearsal.engine.conftest import PASSPHRASE
from tests.rehearsal.engine.program_folders import Case, ops

PROGRAM = """
import pulumi
from toys import *

def image(**args):
    return pulumi.runtime.invoke("gcp:compute/getImage:getImage", args).value["selfLink"]

link = image(family="debian-12")
Pet("p", prefix=link)
pulumi.export("link", link)
"""


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def arguments(**args: Any) -> struct_pb2.Struct:
    return encode(args)


def test_call_is_known_by_its_function_and_arguments() -> None:
    first = FunctionCalls((), digest)
    assert not first.was_made("a:b:c", arguments(x=1))
    first.record("a:b:c", arguments(x=1, y=2))
    later = FunctionCalls(first.made, digest)
    assert later.was_made("a:b:c", arguments(y=2, x=1))
    assert not later.was_made("a:b:d", arguments(x=1, y=2))
    assert not later.was_made("a:b:c", arguments(x=1, y=3))


def test_no_call_is_known_or_recorded_without_a_digest() -> None:
    calls = FunctionCalls(["any"])
    calls.record("a:b:c", arguments(x=1))
    assert calls.made == set()
    assert not calls.was_made("a:b:c", arguments(x=1))


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE)
    case = Case.copy("invoke-unsupported", tmp_path)
    (case.root / "__main__.py").write_text(PROGRAM)
    return case


def test_preview_after_an_update_has_its_results_and_no_change(case: Case) -> None:
    assert case.preview().outputs["link"] is UNKNOWN
    link = case.up().outputs["link"]
    plan = case.preview()
    assert (plan.outputs["link"], plan.changed) == (link, False)
    assert case.state.with_name("functions.json").exists()


def test_preview_of_a_changed_call_has_an_unknown_result(case: Case) -> None:
    case.up()
    main = case.root / "__main__.py"
    main.write_text(main.read_text().replace("debian-12", "debian-testing"))
    plan = case.preview()
    assert plan.outputs["link"] is UNKNOWN
    assert ops(plan) == {"p": Op.REPLACE}


def test_calls_are_removed_with_the_stack(case: Case) -> None:
    case.up()
    assert case.session.down(Silent()).ok
    assert not case.state.with_name("functions.json").exists()
