"""The state on disk: secrets, the lock of the writer, and resources whose creation or update failed."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rehearsal.engine.events import Op
from rehearsal.engine.program.runner import ProgramError
from rehearsal.engine.state.resource_state import PendingOperation, ResourceState, Snapshot
from rehearsal.engine.state.store import Store
from rehearsal.errors import StateError
from rehearsal.pulumi.properties import Secret, contains_unknown
from rehearsal.pulumi.urn import name_of
from tests.rehearsal.engine.conftest import PASSPHRASE, Stack, ops
from tests.rehearsal.engine.fake_provider import Cloud
from tests.support.processes import fork

HIDDEN = "hunter2-"

plain = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, width=32)
    | st.text()
)
hidden = st.text(max_size=8).map(lambda text: Secret(HIDDEN + text))
values: st.SearchStrategy[Any] = st.recursive(
    plain | hidden,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=6), inner, max_size=3)
        | st.builds(Secret, st.dictionaries(st.text(max_size=6), plain, max_size=3))
    ),
    max_leaves=8,
)
properties = st.dictionaries(st.text(min_size=1, max_size=6), values, max_size=4)


def resource(name: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> ResourceState:
    urn = f"urn:pulumi:test::toys::toy:index:Thing::{name}"
    return ResourceState(urn, "toy:index:Thing", True, id=name, inputs=inputs, outputs=outputs)


# -- secrets -------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(properties, properties, properties)
def test_secrets_of_any_type_are_restored_and_never_written_in_plaintext(
    inputs: dict[str, Any], outputs: dict[str, Any], pending: dict[str, Any]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), PASSPHRASE)
        snapshot = Snapshot(
            (resource("a", inputs, outputs),), (PendingOperation("creating", resource("b", pending, {})),)
        )
        store.fold(snapshot)
        for path in Path(folder).iterdir():
            assert HIDDEN.encode() not in path.read_bytes()
        reader = Store(Path(folder), PASSPHRASE)
        assert reader.load() == snapshot
        before = store.path.read_bytes()
        reader.fold(reader.load())
        assert store.path.read_bytes() == before, "unchanged secrets have the same ciphertext"


def test_the_journal_of_a_crashed_update_has_no_plaintext_secret(stack: Stack, tmp_path: Path) -> None:
    cloud = tmp_path / "cloud.json"
    stack.program('Thing("a", value=pulumi.Output.secret("hunter2"))\nThing("b", value=1)\n')
    child = fork()
    if child == 0:
        try:
            stack.cloud = Cloud(cloud, crash_at=3)
            stack.update()
        finally:
            os._exit(1)
    os.waitpid(child, 0)
    journal = (stack.folder / "journal.jsonl").read_text()
    assert journal.count("\n") > 2
    assert "hunter2" not in journal
    stack.cloud = Cloud(cloud)
    stack.up()
    assert stack.record("a").inputs["value"] == Secret("hunter2")


def comparable(item: ResourceState) -> ResourceState:
    """Return `item` without its times and the random id of a provider."""
    provider, _, _ = item.provider.rpartition("::")
    id_ = "" if item.type.startswith("pulumi:providers:") else item.id
    return replace(item, created="", modified="", provider=provider, id=id_)


@pytest.mark.parametrize("end", ["", "raise ValueError('in the middle')\n"], ids=["complete", "failed"])
def test_a_temporary_state_has_the_records_of_a_lasting_one_without_a_journal(
    stack: Stack, tmp_path: Path, end: str
) -> None:
    look = "import pathlib\npathlib.Path({found!r}).write_text(str(pathlib.Path({journal!r}).exists()))\n"
    first = 'a = Thing("a", value=pulumi.Output.secret("hunter2"))\nThing("b", of=a.computed)\n' + end
    second = 'a = Thing("a", value="plain")\nThing("c", ResourceOptions(parent=a), size=1)\n' + end
    found = tmp_path / "found"
    records = []
    for name, temporary in (("lasting", False), ("temporary", True)):
        stack.cloud = Cloud(tmp_path / f"{name}.json")
        store = Store(tmp_path / name, PASSPHRASE, temporary=temporary)
        for source in (first, second):
            looking = look.format(found=str(found), journal=str(store.folder / "journal.jsonl"))
            operation = stack.program(looking + source).make()
            operation.store = store
            with contextlib.suppress(ProgramError), store.lock("test"):
                operation.update()
            assert found.read_text() == str(not temporary)
            assert {path.suffix for path in store.folder.iterdir()} <= {".json", ".bak"}
            assert "hunter2" not in store.path.read_text()
            records.append([comparable(item) for item in store.load().resources])
    assert records[:2] == records[2:]
    assert {name_of(item.urn) for item in records[1]} >= {"a", "c"}


def test_values_derived_from_a_secret_are_secret(stack: Stack) -> None:
    result = stack.up("""
        a = Thing("a", value=pulumi.Output.secret("hunter2"))
        b = Thing("b", value=a.value.apply(lambda text: text + "!"), plain=1)
        pulumi.export("both", pulumi.Output.all(b.value, "x"))
        pulumi.export("shown", pulumi.Output.unsecret(b.value))
    """)
    assert stack.record("b").inputs["value"] == Secret("hunter2!")
    assert stack.record("b").inputs["plain"] == 1
    assert isinstance(result.outputs["both"], Secret)
    assert result.outputs["shown"] == "hunter2!"


def test_an_output_marked_secret_later_is_encrypted_from_then_on(stack: Stack) -> None:
    stack.up('Thing("a", value=1)\n')
    assert stack.record("a").outputs["computed"] == "a-computed"
    stack.up('Thing("a", ResourceOptions(additional_secret_outputs=["computed"]), value=1)\n')
    assert stack.record("a").outputs["computed"] == Secret("a-computed")


def test_a_wrong_passphrase_changes_no_file(stack: Stack) -> None:
    stack.up('Thing("a", value=pulumi.Output.secret(1))\n')
    before = {path: path.read_bytes() for path in stack.folder.iterdir()}
    stack.passphrase = "another"
    for command in (stack.preview, stack.update, stack.destroy, stack.refresh):
        with pytest.raises(StateError, match="passphrase"):
            command()
    assert {path: path.read_bytes() for path in stack.folder.iterdir()} == before


# -- one writer at a time ------------------------------------------------------------------------------------


def test_the_lock_of_a_crashed_process_is_released(stack: Stack) -> None:
    ready, ready_pipe = os.pipe()
    child = fork()
    if child == 0:
        with stack.store.lock("up --stack test"):
            os.write(ready_pipe, b"x")
            signal.pause()
        os._exit(0)
    assert os.read(ready, 1) == b"x"
    with pytest.raises(StateError, match=f"process {child}"):
        stack.update('Thing("a")\n')
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert f"process {child}" in (stack.folder / "lock").read_text()
    stack.up('Thing("a")\n')


def test_one_of_many_concurrent_writers_succeeds_and_the_others_are_rejected(stack: Stack) -> None:
    """The lock file is created and deleted by its holder; there is never more than one holder."""
    inside, max_inside, rejected = 0, 0, 0
    counting = threading.Lock()

    def write() -> None:
        nonlocal inside, max_inside, rejected
        for _ in range(200):
            try:
                with stack.store.lock("test"):
                    with counting:
                        inside += 1
                        max_inside = max(max_inside, inside)
                    with counting:
                        inside -= 1
            except StateError:
                with counting:
                    rejected += 1

    with ThreadPoolExecutor(8) as pool:
        for writer in [pool.submit(write) for _ in range(8)]:
            writer.result()
    assert max_inside == 1
    assert rejected
    assert not (stack.folder / "lock").exists()


def test_previews_need_no_lock(stack: Stack) -> None:
    stack.up('Thing("a")\n')
    with stack.store.lock("up --stack test"):
        assert stack.preview().ok


# -- unknowns ----------------------------------------------------------------------------------------


def test_a_preview_of_an_update_distinguishes_unchanged_and_unknown_outputs(
    stack: Stack, cloud: Cloud
) -> None:
    program = """
        a = Thing("a", value={n}, fixed={fixed})
        b = Thing("b", value=a.computed)
        Thing("c", value=b.value)
    """
    stack.up(program.format(n=1, fixed=1))
    assert ops(stack.preview(program.format(n=1, fixed=1))) == {}
    replaced = stack.preview(program.format(n=1, fixed=2))
    assert ops(replaced) == {"a": Op.REPLACE, "b": Op.UPDATE, "c": Op.UPDATE}
    b = next(step for step in replaced.steps if step.name == "b")
    assert [(change.path, contains_unknown(change.new)) for change in b.changes] == [(("value",), True)]


def test_code_in_apply_does_not_run_on_unknown_values(stack: Stack) -> None:
    program = """
        def check(value):
            assert value == "a-computed", value
            return value
        a = Thing("a")
        Thing("b", value=a.computed.apply(check))
    """
    assert stack.preview(program).ok
    stack.up()


def test_a_list_whose_length_is_unknown_is_reported_by_the_line_that_counts_it(stack: Stack) -> None:
    with pytest.raises(ProgramError, match=r"__main__.py:5.*TypeError"):
        stack.preview('a = Thing("a")\nlen(a.computed)\n')


def test_calls_of_functions_are_stored_until_the_stack_is_removed(tmp_path: Path) -> None:
    store = Store(tmp_path, PASSPHRASE)
    assert store.calls() == frozenset()
    store.record_calls({"b", "a"})
    assert Store(tmp_path, PASSPHRASE).calls() == {"a", "b"}
    (tmp_path / "functions.json").write_text("{damaged")
    assert store.calls() == frozenset()
    store.record_calls({"c"})
    store.remove()
    assert list(tmp_path.iterdir()) == []
