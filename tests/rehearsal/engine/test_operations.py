"""Operations on resources of the fake provider."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from rehearsal.engine.events import Op
from rehearsal.engine.program import hang_detector
from rehearsal.engine.program.runner import ProgramError
from rehearsal.errors import StateError
from rehearsal.providers.errors import InitFailedError
from rehearsal.pulumi.properties import Secret, contains_unknown
from tests.rehearsal.engine import fake_sdk
from tests.rehearsal.engine.conftest import PASSPHRASE, Stack, messages, ops
from tests.rehearsal.engine.fake_provider import Cloud, refused

CHAIN = """
    a = Thing("a", value=1)
    b = Thing("b", value=a.computed)
    c = Thing("c", value=b.computed)
"""


def test_a_dependent_is_created_after_its_dependency(stack: Stack, cloud: Cloud) -> None:
    stack.up(CHAIN)
    assert cloud.order("Create") == ["a", "b", "c"]
    stack.consistent()


def test_depends_on_orders_resources_that_share_no_value(stack: Stack, cloud: Cloud) -> None:
    stack.up('a = Thing("a")\nThing("b", ResourceOptions(depends_on=[a]))\n')
    assert cloud.log.index(("Create", "a", "end")) < cloud.log.index(("Create", "b", "begin"))


def test_independent_resources_are_created_side_by_side(stack: Stack, cloud: Cloud) -> None:
    meeting = threading.Barrier(2)

    def meet(request: object) -> None:
        meeting.wait(20)

    for name in ("a", "b"):
        cloud.before[("Create", name)] = meet
    stack.up('Thing("a")\nThing("b")\n')


def test_a_preview_reports_unknown_values_and_changes_nothing(stack: Stack, cloud: Cloud) -> None:
    result = stack.preview(CHAIN)
    assert result.ok
    assert ops(result) == {"a": Op.CREATE, "b": Op.CREATE, "c": Op.CREATE}
    assert contains_unknown(next(x for x in result.snapshot.resources if x.urn.endswith("::b")).inputs)
    assert not cloud.objects
    assert not stack.file.exists()


def test_a_second_update_makes_no_changes_and_does_not_write_the_state(stack: Stack, cloud: Cloud) -> None:
    stack.up(CHAIN)
    before = stack.file.read_bytes()
    result = stack.up()
    assert not result.changed
    assert not cloud.calls("Create", "Update", "Delete")
    assert stack.file.read_bytes() == before


def test_a_changed_input_updates_in_place(stack: Stack, cloud: Cloud) -> None:
    stack.up('Thing("a", value=1)\n')
    id_ = stack.record("a").id
    result = stack.up('Thing("a", value=2)\n')
    assert ops(result) == {"a": Op.UPDATE}
    assert stack.record("a").id == id_
    stack.consistent()


def test_a_replacement_creates_before_it_deletes(stack: Stack, cloud: Cloud) -> None:
    stack.up('Thing("a", fixed=1)\n')
    result = stack.up('Thing("a", fixed=2)\n')
    assert ops(result) == {"a": Op.REPLACE}
    assert cloud.calls("Create", "Delete") == [("Create", "a"), ("Delete", "a")]
    stack.consistent()


def test_a_resource_with_a_fixed_physical_name_is_deleted_before_replacement(
    stack: Stack, cloud: Cloud
) -> None:
    program = """
        a = Thing("a", name="one", fixed={n})
        b = Thing("b", fixed=a.computed)
        Thing("c", value=a.computed)
    """
    stack.up(program.format(n=1))
    result = stack.up(program.format(n=2))
    assert ops(result)["a"] is Op.REPLACE
    assert ops(result)["b"] is Op.REPLACE
    assert ops(result).get("c", Op.UPDATE) is Op.UPDATE
    assert cloud.calls("Create", "Delete") == [
        ("Delete", "b"),
        ("Delete", "a"),
        ("Create", "a"),
        ("Create", "b"),
    ]
    stack.consistent()


def test_delete_before_replace_is_an_option(stack: Stack, cloud: Cloud) -> None:
    program = 'Thing("a", ResourceOptions(delete_before_replace=True), fixed={n})\n'
    stack.up(program.format(n=1))
    stack.up(program.format(n=2))
    assert cloud.calls("Create", "Delete") == [("Delete", "a"), ("Create", "a")]
    stack.consistent()


def test_undeclared_resources_are_deleted_dependents_first(stack: Stack, cloud: Cloud) -> None:
    stack.up(CHAIN)
    result = stack.up("pass\n")
    assert cloud.order("Delete") == ["c", "b", "a"]
    assert ops(result) == dict.fromkeys("abc", Op.DELETE)
    stack.consistent()


def test_destroy_deletes_all_resources_and_the_state(stack: Stack, cloud: Cloud) -> None:
    stack.up(CHAIN)
    assert stack.destroy().ok
    assert cloud.order("Delete") == ["c", "b", "a"]
    assert not cloud.objects
    assert not stack.file.exists()


def test_protected_resources_are_all_named_and_nothing_is_deleted(stack: Stack, cloud: Cloud) -> None:
    stack.up(
        'Thing("a", ResourceOptions(protect=True))\nThing("b", ResourceOptions(protect=True))\nThing("c")\n'
    )
    result = stack.destroy()
    assert len(result.errors) == 2
    assert not cloud.calls("Delete")
    assert stack.destroy(unprotect=True).ok
    assert not cloud.objects


def test_a_protected_resource_is_not_replaced(stack: Stack, cloud: Cloud) -> None:
    program = 'Thing("a", ResourceOptions(protect=True), fixed={n})\n'
    stack.up(program.format(n=1))
    result = stack.update(program.format(n=2))
    assert "protected" in messages(result)[0]
    assert not cloud.calls("Create", "Delete")


def test_protection_alone_is_recorded(stack: Stack) -> None:
    stack.up('Thing("a")\n')
    stack.up('Thing("a", ResourceOptions(protect=True))\n')
    assert stack.record("a").protect


def test_ignored_changes_are_ignored_also_under_wildcards(stack: Stack, cloud: Cloud) -> None:
    program = """
        ignored = ResourceOptions(ignore_changes=["value", "rules[*].port"])
        Thing("a", ignored, value={n}, rules=[{{"port": {n}, "to": 1}}])
    """
    stack.up(program.format(n=1))
    assert not stack.up(program.format(n=2)).changed


def test_a_retained_resource_stays_in_the_cloud(stack: Stack, cloud: Cloud) -> None:
    stack.up('Thing("a", ResourceOptions(retain_on_delete=True))\n')
    stack.up("pass\n")
    assert cloud.names() == {"a"}
    assert not stack.names()


def test_a_resource_with_deleted_with_is_not_deleted_separately(stack: Stack, cloud: Cloud) -> None:
    stack.up('a = Thing("a")\nThing("b", ResourceOptions(deleted_with=a))\n')
    stack.destroy()
    assert cloud.order("Delete") == ["a"]


def test_an_alias_carries_a_resource_to_its_new_name(stack: Stack, cloud: Cloud) -> None:
    stack.up('Thing("old", value=1)\n')
    id_ = stack.record("old").id
    assert not ops(
        stack.up('Thing("new", ResourceOptions(aliases=[Alias(name="old")]), auto="x", value=1)\n')
    ).get("old")
    assert stack.names() == {"new"}
    assert stack.record("new").id == id_


def test_children_follow_a_component_that_was_renamed(stack: Stack, cloud: Cloud) -> None:
    stack.up('g = Group("one")\nThing("a", ResourceOptions(parent=g))\n')
    result = stack.up(
        'g = Group("two", ResourceOptions(aliases=[Alias(name="one")]))\n'
        'Thing("a", ResourceOptions(parent=g))\n'
    )
    assert not cloud.calls("Create", "Delete"), ops(result)
    stack.consistent()


def test_components_hold_their_children_in_their_type(stack: Stack) -> None:
    stack.up('g = Group("g")\nThing("a", ResourceOptions(parent=g))\n')
    assert stack.record("a").urn == "urn:pulumi:test::toys::my:index:Group$toy:index:Thing::a"


def test_secrets_are_never_written_in_plaintext(stack: Stack) -> None:
    result = stack.up(
        'a = Thing("a", value=pulumi.Output.secret("hunter2"))\n'
        'Thing("b", ResourceOptions(additional_secret_outputs=["computed"]), value="x")\n'
        'pulumi.export("secret", a.value)\n'
    )
    text = stack.file.read_text()
    assert "hunter2" not in text
    assert "hunter2" not in repr(result.outputs)
    assert stack.record("b").outputs["computed"].element not in text
    assert stack.record("a").outputs["value"].element == "hunter2"


def test_a_wrong_passphrase_is_distinguished_from_a_damaged_file(stack: Stack) -> None:
    stack.up('Thing("a")\n')
    stack.passphrase = PASSPHRASE + "?"
    with pytest.raises(StateError, match="passphrase"):
        stack.preview()


def test_default_providers_are_named_after_their_version_and_explicit_ones_are_referred_to(
    stack: Stack, cloud: Cloud
) -> None:
    stack.up('p = Provider("p", region="south")\nThing("a", ResourceOptions(provider=p))\nThing("b")\n')
    assert "::pulumi:providers:toy::p::" in stack.record("a").provider
    assert "::pulumi:providers:toy::default" in stack.record("b").provider
    assert {"region": "north"} in cloud.configured
    assert {"region": "south"} in cloud.configured


def test_failing_checks_of_all_resources_are_listed_in_one_preview(stack: Stack) -> None:
    result = stack.preview('Thing("a", bad1=1, bad2=2)\nThing("b", bad3=1)\n')
    assert len(result.errors) == 3
    assert not result.ok


def test_a_failure_stops_later_steps_and_the_next_update_resumes(stack: Stack, cloud: Cloud) -> None:
    def refuse(request: object) -> None:
        raise refused("no")

    cloud.before[("Create", "b")] = refuse
    result = stack.update(CHAIN)
    assert not result.ok
    assert stack.names() == {"a"}
    cloud.before.clear()
    stack.up()
    assert stack.names() == {"a", "b", "c"}
    stack.consistent()


def test_stack_outputs_without_a_new_value_outlast_a_failure(stack: Stack, cloud: Cloud) -> None:
    def refuse(request: object) -> None:
        raise refused("quota exceeded")

    stack.up('pulumi.export("x", 1)\npulumi.export("y", 1)\n')
    cloud.before[("Create", "b")] = refuse
    assert not stack.update('pulumi.export("x", 2)\nThing("b")\n').ok
    assert stack.record("toys-test").outputs == {"x": 2, "y": 1}
    with pytest.raises(ProgramError):
        stack.update('pulumi.export("x", 3)\nraise ValueError("stopped")\n')
    assert stack.record("toys-test").outputs["y"] == 1
    stack.up('pulumi.export("x", 2)\n')
    assert stack.record("toys-test").outputs == {"x": 2}


def test_an_id_is_never_secret(stack: Stack) -> None:
    result = stack.up('Thing("a", ResourceOptions(additional_secret_outputs=["id", "computed"]), id="i")\n')
    assert stack.record("a").outputs["id"] == "i"
    assert stack.record("a").outputs["computed"] == Secret("a-computed")
    assert messages(result) == ["additionalSecretOutputs: id cannot be secret"]


def test_a_program_ends_when_a_resource_it_awaits_failed(stack: Stack, cloud: Cloud) -> None:
    def refuse(request: object) -> None:
        raise refused("no")

    cloud.before[("Create", "a")] = refuse
    result = stack.update("""
        g = Group("g")
        a = Thing("a", ResourceOptions(parent=g))
        b = Thing("b", ResourceOptions(depends_on=[a], parent=g), value=a.computed)
        p = Provider("p", region=a.computed)
        c = Thing("c", ResourceOptions(provider=p), value=pulumi.Output.all(b.computed, a.token).apply(str))
        g.register_outputs({"out": c.computed})
        pulumi.export("out", pulumi.Output.format("{0}", c.computed))
    """)
    assert [item.message for item in result.errors] == ["no"]


def test_a_resource_that_never_became_ready_is_recorded_and_updated_next_time(
    stack: Stack, cloud: Cloud
) -> None:
    def unready(request: object) -> None:
        object_id = next(iter(cloud.objects))
        raise InitFailedError(object_id, {"value": 1}, {"value": 1}, ["still starting"])

    cloud.after[("Create", "a")] = unready
    result = stack.update('Thing("a", value=1)\n')
    assert "still starting" in messages(result)[0]
    assert stack.record("a").init_errors
    cloud.after.clear()
    assert ops(stack.up()) == {"a": Op.UPDATE}
    assert not stack.record("a").init_errors


def test_an_interrupt_waits_for_steps_in_progress_and_starts_no_more(stack: Stack, cloud: Cloud) -> None:
    def interrupt(request: object) -> None:
        assert stack.operation
        stack.operation.interrupt()

    cloud.before[("Create", "a")] = interrupt
    result = stack.update(CHAIN)
    assert result.interrupted
    assert stack.names() == {"a"}
    cloud.before.clear()
    stack.up()
    stack.consistent()


def test_refresh_adopts_changes_and_removes_deleted_resources(stack: Stack, cloud: Cloud) -> None:
    stack.up('Thing("a", value=1)\nThing("b", value=1)\n')
    gone = stack.record("b").id
    del cloud.objects[gone]
    result = stack.refresh()
    assert ops(result)["b"] is Op.DELETE
    assert stack.names() == {"a"}
    assert ops(stack.up()) == {"b": Op.CREATE}


def test_a_second_writer_is_rejected_with_the_holder_of_the_lock(stack: Stack) -> None:
    with stack.store.lock("up --stack test"), pytest.raises(StateError, match="kingdom up --stack test"):
        stack.update('Thing("a")\n')


@pytest.mark.parametrize(
    ("source", "where", "what"),
    [
        ("1 / 0\n", ":4", "ZeroDivisionError"),
        ("import nothing_of_that_name\n", ":4", "ModuleNotFoundError"),
        ("x = (\n", ":4", "never closed"),
        ('raise pulumi.RunError("the setting x is missing")\n', "", "the setting x is missing"),
        ('a = Thing("a")\na.computed.apply(lambda value: value + 1)\n', ":5", "TypeError"),
    ],
)
def test_a_program_that_raises_is_named_with_its_line_and_without_a_traceback(
    stack: Stack, source: str, where: str, what: str
) -> None:
    with pytest.raises(ProgramError) as raised:
        stack.update(source)
    text = str(raised.value)
    assert what in text
    assert where in text
    assert "Traceback" not in text


def test_a_journal_truncated_at_any_byte_is_readable(stack: Stack, cloud: Cloud, tmp_path: Path) -> None:
    stack.up('Thing("a", value=1)\n')
    journal = stack.folder / "journal.jsonl"
    journals: list[bytes] = []
    fold = type(stack.store).fold

    def record(self: object, snapshot: object) -> None:
        journals.append(journal.read_bytes())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rehearsal.engine.state.store.Store.fold", record)
        stack.update('Thing("a", value=2)\nThing("b", value=3)\n')
    assert fold
    header = journals[0].index(b"\n") + 1
    for end in range(header, len(journals[0]) + 1, 7):
        journal.write_bytes(journals[0][:end])
        snapshot = stack.snapshot()
        assert {item.urn.rpartition("::")[2] for item in snapshot.resources} >= {"a"}
    journal.write_bytes(journals[0][:header])
    stack.up()
    assert stack.names() == {"a", "b"}


@pytest.mark.parametrize(
    ("hangs", "place"),
    [
        ("reported.wait()", "it is at program/__main__.py:9"),
        (
            "pulumi.export('never', pulumi.Output.from_input(wait_in_thread()))",
            "an output that is never resolved",
        ),
    ],
)
def test_a_program_that_hangs_is_reported_with_its_line(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, hangs: str, place: str
) -> None:
    monkeypatch.setattr(hang_detector, "PATIENCE_SECONDS", 1.5)
    notices: list[str] = []
    reported = threading.Event()
    monkeypatch.setattr(fake_sdk, "reported", reported, raising=False)

    def notice(text: str) -> None:
        notices.append(text)
        reported.set()

    stack.program(f"""
        import asyncio
        from tests.rehearsal.engine import fake_sdk
        reported = fake_sdk.reported
        wait_in_thread = lambda: asyncio.to_thread(reported.wait)
        Thing("a")
        {hangs}
    """)
    operation = stack.make()
    operation.notice = notice
    assert operation.preview().ok
    assert len(notices) == 1
    assert place in notices[0]
