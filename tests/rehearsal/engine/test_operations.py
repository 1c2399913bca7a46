"""Operations on resources of the fake provider."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from rehearsal.engine.events import Op
from rehearsal.engine.operations import Program
from rehearsal.engine.program import hang_detector
from rehearsal.errors import StateError
from rehearsal.pulumi.properties import Secret, contains_unknown
from tests.rehearsal.engine import fake_sdk
from tests.rehearsal.engine.conftest import PASSPHRASE, Stack, ops
from tests.rehearsal.engine.fake_provider import Cloud

CHAIN = """
    a = Thing("a", value=1)
    b = Thing("b", value=a.computed)
    c = Thing("c", value=b.computed)
"""


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


def test_dynamic_providers_have_the_whole_configuration(tmp_path: Path) -> None:
    config = {"gcp:project": "ours", "toys:password": "hunter2"}
    secrets = frozenset({"toys:password"})
    program = Program(tmp_path, tmp_path, "toys", "test", config, secrets=secrets)
    found = program.provider_config()
    assert found["gcp"] == {"project": "ours"}
    assert found["pulumi-python"] == {"gcp:project": "ours", "toys:password": Secret("hunter2")}


def test_refresh_marks_additional_secret_outputs_of_components(stack: Stack) -> None:
    """The CLI marks them in every step, but records the outputs that the program registers afterwards."""
    stack.up("""
        g = Group("g", ResourceOptions(additional_secret_outputs=["o"]))
        g.register_outputs({"o": 1})
    """)
    assert stack.record("g").outputs == {"o": 1}
    assert stack.refresh().ok
    assert stack.record("g").outputs == {"o": Secret(1)}
