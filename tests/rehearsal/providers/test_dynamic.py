"""Tests of dynamic providers, whose code is part of the program."""

from __future__ import annotations

import functools
import gc
import subprocess
import sys
import weakref
from pathlib import Path

import psutil
import pytest
from pulumi.runtime.proto import provider_pb2

from rehearsal.engine.events import Op, Severity, Silent
from rehearsal.providers.dynamic import DynamicProvider, _failure
from rehearsal.providers.errors import ProviderError
from rehearsal.pulumi.properties import UNKNOWN, Secret, encode
from tests.rehearsal.engine.program_folders import Case, errors, messages, ops

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

HELPER = """
class P(ResourceProvider):
    def create(self, props):
        return CreateResult("x", props)
    def delete(self, id, props):
        print(V)

class R(Resource):
    def __init__(self, name, props):
        super().__init__(P(), name, props)
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
    position = f"{case.root / '__main__.py'}, line 6"
    assert error.message == f"the dynamic provider failed in {position}: ValueError: no capacity"
    assert error.source == "__main__.py:16"


def test_failure_without_a_reason_has_a_message() -> None:
    assert _failure(" \n") == "the dynamic provider failed: no reason is known"


def test_creation_without_an_id_is_an_error_and_can_be_repeated(case: Case) -> None:
    (error,) = errors(_declare(case, 1, create='return CreateResult("", props)').update())
    assert "returned no id" in error.message
    assert _declare(case, 2).up().outputs["o"] == 3


def test_interrupted_creation_is_a_warning_of_the_next_operation(case: Case) -> None:
    """The code of the provider can neither repeat a creation nor find what it has created."""
    session = case.session
    _declare(case, 1, create="import os; os.kill(os.getppid(), 9)")
    script = "from tests.rehearsal.engine.program_folders import Case; from pathlib import Path; import sys\n"
    script += "Case(Path(sys.argv[1])).update()\n"
    assert subprocess.run([sys.executable, "-c", script, str(case.root)], check=False).returncode == -9
    assert [item.type for item in session.store.load().pending] == ["creating"]
    result = _declare(case, 2).up()
    assert result.outputs["o"] == 3
    assert [(item.severity, "was interrupted" in item.message) for item in result.diagnostics] == [
        (Severity.WARNING, True)
    ]
    assert not case.session.store.load().pending


def test_exit_of_the_provider_is_an_error(case: Case) -> None:
    (error,) = errors(_declare(case, 1, create="import sys; sys.exit(3)").update())
    assert error.message.endswith("RuntimeError: the provider called sys.exit(3)")


def test_provider_may_print_more_than_a_pipe_holds(case: Case) -> None:
    assert _declare(case, 1, create='print("x" * 1_000_000)').up().outputs["o"] == 2


URN = "urn:pulumi:dev::p::pulumi-python:dynamic:Resource::r"


def test_closed_provider_is_released(case: Case) -> None:
    """Its finalizer and its process refer to the listener, and thereby to the operation that uses it."""
    _declare(case, 1).up()
    inputs = encode(case.record("r").inputs)
    provider = DynamicProvider()
    provider.listener = functools.partial(print, provider)
    provider.Check(provider_pb2.CheckRequest(urn=URN, news=inputs), None)
    released = weakref.ref(provider)
    provider.close()
    del provider
    gc.collect()
    assert released() is None


def test_each_process_that_does_not_start_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rehearsal.providers.dynamic._BOOT", "print('no port')")
    provider = DynamicProvider()
    before = psutil.Process().num_fds()
    for _ in range(2):
        with pytest.raises(ProviderError, match="did not start"):
            provider.Check(provider_pb2.CheckRequest(urn=URN), None)
    provider.close()
    assert psutil.Process().num_fds() == before


def test_lines_that_the_provider_prints_are_messages_of_the_operation(case: Case) -> None:
    """Standard output of the process may carry a JSON result, and a display may be active."""
    printed = "import sys, os; print('one'); print('two', file=sys.stderr); os.write(1, b'three')"
    result = _declare(case, 1, create=printed).up()
    assert sorted(messages(result)) == ["one", "three", "two"]
    assert all(item.severity is Severity.INFO for item in result.diagnostics)


def test_lines_of_parallel_calls_stay_apart(case: Case) -> None:
    program = PROGRAM.format(a=1, create="print('one', 'two', 'three', end='.')")
    program += "".join(f'R("r{n}", {{"a": {n}}})\n' for n in range(20))
    (case.root / "__main__.py").write_text(program.replace("end='.'", r"end='.\n'"))
    assert messages(case.up()) == ["one two three."] * 21


def test_replaced_resource_is_deleted_also_if_the_replacement_has_its_id(case: Case) -> None:
    """The CLI calls the code of the provider, which decides itself whether it deletes the new resource."""
    program = PROGRAM.replace(
        "    def diff", "    def delete(self, id, props):\n        print(id)\n    def diff", 1
    )
    (case.root / "__main__.py").write_text(program.format(a=1, create="pass"))
    case.up()
    (case.root / "__main__.py").write_text(program.format(a=99, create="pass"))
    result = case.up()
    assert (ops(result), messages(result)) == ({"r": Op.REPLACE}, ["id1"])


def test_provider_can_import_modules_of_the_program_without_the_program(
    case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Refresh and destruction do not run the program; the command may run in any folder of the project."""
    (case.root / "helper.py").write_text("from pulumi.dynamic import *\nfrom values import V\n" + HELPER)
    (case.root / "values.py").write_text("V = 3\n")
    (case.root / "__main__.py").write_text("import helper\nhelper.R('r', {'a': 1})\n")
    case.up()
    monkeypatch.chdir(tmp_path_factory.mktemp("other"))
    assert case.refresh().ok
    assert messages(case.session.down(Silent())) == ["3"]


def test_default_provider_records_the_configuration(case: Case) -> None:
    (case.root / "Pulumi.dev.yaml").write_text("config:\n  t:step: 0\n  gcp:project: ours\n")
    case.up()
    assert case.record("default").outputs == {"gcp:project": "ours", "t:step": "0"}
    case.at(1).up()
    assert case.record("default").outputs == {"gcp:project": "ours", "t:step": "1"}


def test_list_with_a_secret_is_one_secret(case: Case) -> None:
    """The code of the provider receives and returns plaintext, so the engine marks what was secret."""
    secret = 'pulumi.Output.secret("hunter2")'
    program = PROGRAM.format(a=1, create="pass").replace(
        '{"a": 1}', f'{{"a": 1, "b": {{"c": ["x", {secret}]}}}}'
    )
    (case.root / "__main__.py").write_text(program)
    case.up()
    assert case.record("r").inputs["b"] == {"c": Secret(["x", "hunter2"])}
    assert case.record("r").outputs["b"] == {"c": Secret(["x", "hunter2"])}
    case.refresh()
    assert case.record("r").inputs["b"] == {"c": Secret(["x", "hunter2"])}
    assert "hunter2" not in case.state.read_text()


def test_configuration_without_a_namespace_is_that_of_the_project(case: Case) -> None:
    program = PROGRAM.format(a=1, create="props['a'] = int(self.step)")
    configure = "    def configure(self, req): self.step = req.config.require('step')\n"
    (case.root / "__main__.py").write_text(program.replace("    def create", f"{configure}    def create", 1))
    assert case.at(4).up().outputs["o"] == 5


def test_replace_on_changes_needs_a_property_that_the_provider_names(case: Case) -> None:
    """A dynamic provider names the replaced properties only, as in the CLI."""
    _declare(case, 1).up()
    program = (
        (case.root / "__main__.py").read_text().replace('R("r", {"a": 1})', 'R("r", {"a": 22}, OPTIONS)')
    )
    program = program.replace("> 8", "> 88")
    options = "OPTIONS = pulumi.ResourceOptions(replace_on_changes=['*'])\n"
    (case.root / "__main__.py").write_text(program.replace("class P", f"{options}class P", 1))
    assert ops(case.up()) == {"r": Op.UPDATE}
