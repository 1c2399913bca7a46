"""Tests of dynamic providers, whose code is part of the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.engine.events import Op
from rehearsal.pulumi.properties import UNKNOWN
from tests.rehearsal.engine.program_folders import Case, errors, ops

PROGRAM = """\
import pulumi
from pulumi.dynamic import *

class P(ResourceProvider):
    def create(self, props):
        {create}
        return CreateResult("id1", {{**props, "out": props["a"] + 1}})
    def diff(self, id, old, new):
        return DiffResult(changes=old["a"] != new["a"], replaces=["a"] if new["a"] > 8 else [])
    def update(self, id, old, new):
        return UpdateResult({{**new, "out": new["a"] + 1}})

class R(Resource):
    out: pulumi.Output[int]
    def __init__(self, name, props, opts=None):
        super().__init__(P(), name, {{**props, "out": None}}, opts)

pulumi.export("o", R("r", {{"a": {a}}}).out)
"""


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case.copy("dynamic-provider", tmp_path)


def _declare(case: Case, a: int, create: str = "pass") -> Case:
    # Python keeps the bytecode of a source that has the same size and second: each value has its own size.
    (case.root / "__main__.py").write_text(PROGRAM.format(a=a, create=create) + "#" * a)
    return case


def test_dynamic_resource_is_created_updated_and_replaced(case: Case) -> None:
    assert _declare(case, 1).preview().outputs["o"] is UNKNOWN
    assert case.up().outputs["o"] == 2
    result = _declare(case, 2).up()
    assert (ops(result), result.outputs["o"]) == ({"r": Op.UPDATE}, 3)
    result = _declare(case, 9).up()
    assert (ops(result), result.outputs["o"]) == ({"r": Op.REPLACE}, 10)
    assert ops(case.up()) == {}


def test_exception_of_the_provider_is_reported_with_the_declaration(case: Case) -> None:
    (error,) = errors(_declare(case, 1, create='raise ValueError("no capacity")').update())
    assert "no capacity" in error.message
    assert error.source == "__main__.py:16"


def test_default_provider_records_the_configuration(case: Case) -> None:
    (case.root / "Pulumi.dev.yaml").write_text("config:\n  t:step: 0\n  gcp:project: ours\n")
    case.up()
    assert case.record("default").outputs == {"gcp:project": "ours", "t:step": "0"}
    case.at(1).up()
    assert case.record("default").outputs == {"gcp:project": "ours", "t:step": "1"}
