"""A command on one stack: what each operation creates, records and leaves behind."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from rehearsal import session as session_module
from rehearsal.engine.events import Op, Result, Silent
from rehearsal.engine.operations import Operation
from rehearsal.engine.state.resource_state import PendingOperation, ResourceState, Snapshot
from rehearsal.errors import InputError, KingdomError, StateError
from rehearsal.host.client import Machine
from rehearsal.host.status import HostStatus, ProcessStatus
from rehearsal.pulumi.project import Project
from rehearsal.session import Session
from tests.rehearsal.engine.program_folders import errors, ops

PROGRAM = """\
import pulumi
from pulumi import CustomResource

config = pulumi.Config()
CustomResource("random:index/randomPet:RandomPet", "pet", {"length": config.require_int("length")})
pulumi.export("length", config.require_int("length"))
"""
INCOMPLETE = "import pulumi\npulumi.CustomResource('gcp:storage/bucket:Bucket', 'media', {})\n"
CACHE = "import pulumi\npulumi.CustomResource('gcp:redis/instance:Instance', 'cache', {'memorySizeGb': 1})\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of no consequence")
    (tmp_path / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    length(tmp_path, 2)
    return tmp_path


def length(root: Path, words: int) -> None:
    (root / "Pulumi.dev.yaml").write_text(f"config:\n  tiny:length: {words}\n")


def opened(root: Path, **options: Any) -> Session:
    return Session(Project.at(root), "dev", policies=None, **options)


def recorded(root: Path) -> list[str]:
    return [item.type for item in opened(root).store.load().resources if item.custom]


def proceed(plan: Result) -> bool:
    return plan.ok


PET = "random:index/randomPet:RandomPet"
CREATED = ["pulumi:providers:random", PET]


# -- operations -------------------------------------------------------------------------------------------


def test_preview_plans_and_leaves_no_state(root: Path) -> None:
    result = opened(root).preview(Silent())
    assert (ops(result), result.planned) == ({"pet": Op.CREATE}, True)
    assert not (root / ".rehearsal").exists()


def test_update_is_made_after_its_plan_was_accepted(root: Path) -> None:
    plans: list[Result] = []

    def planned(plan: Result) -> bool:
        assert recorded(root) == []
        plans.append(plan)
        return True

    result = opened(root).up(Silent(), planned)
    assert (ops(plans[0]), plans[0].planned) == ({"pet": Op.CREATE}, True)
    assert (ops(result), result.planned) == ({"pet": Op.CREATE}, False)
    assert (sorted(recorded(root)), result.outputs) == (CREATED, {"length": 2})


def test_refused_or_failed_plan_changes_nothing(root: Path) -> None:
    assert opened(root).up(Silent(), lambda plan: False).planned
    (root / "__main__.py").write_text(INCOMPLETE)
    accepted: list[Result] = []
    result = opened(root).up(Silent(), lambda plan: bool(accepted.append(plan)) or True)
    assert (result.ok, accepted) == (False, [])
    assert recorded(root) == []


def test_plan_of_an_update_refuses_a_reference_to_an_unknown_stack(root: Path) -> None:
    (root / "__main__.py").write_text("""
import pulumi
import pulumi_random as random

random.RandomPet("pet")
pulumi.export("x", pulumi.StackReference("organization/other/dev").get_output("x"))
""")
    assert opened(root).preview(Silent()).ok
    result = opened(root).up(Silent(), proceed)
    assert result.planned
    assert "unknown stack 'organization/other/dev'" in result.errors[0].message
    assert recorded(root) == []


def test_update_without_a_change_is_its_plan_and_rewrites_no_resource(root: Path) -> None:
    opened(root).up(Silent(), proceed)
    before = opened(root).store.load().resources
    result = opened(root).up(Silent(), proceed)
    assert (ops(result), result.planned) == ({}, True)
    assert opened(root).store.load().resources == before


def test_change_of_an_option_alone_is_recorded(root: Path) -> None:
    opened(root).up(Silent(), proceed)
    text = PROGRAM.replace(
        'require_int("length")})', 'require_int("length")}, pulumi.ResourceOptions(protect=True))', 1
    )
    (root / "__main__.py").write_text(text)
    result = opened(root).up(Silent(), proceed)
    assert ops(result) == {}
    assert [item.protect for item in opened(root).store.load().resources if item.type == PET] == [True]


def test_down_refuses_protected_resources_without_unprotect(root: Path) -> None:
    text = PROGRAM.replace(
        'require_int("length")})', 'require_int("length")}, pulumi.ResourceOptions(protect=True))', 1
    )
    (root / "__main__.py").write_text(text)
    opened(root).up(Silent(), proceed)
    refused = opened(root).down(Silent())
    assert [item.protected for item in errors(refused)] == [True]
    assert PET in recorded(root)
    assert opened(root).down(Silent(), unprotect=True).ok
    assert recorded(root) == []


def test_refresh_reads_the_recorded_resources(root: Path) -> None:
    opened(root).up(Silent(), proceed)
    result = opened(root).refresh(Silent())
    assert result.ok
    assert sorted(recorded(root)) == CREATED


def test_state_has_the_passphrase_of_the_caller_even_if_the_program_changes_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "__main__.py").write_text(PROGRAM + "import os\nos.environ.clear()\n")
    assert opened(root).up(Silent(), proceed).ok
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of no consequence")
    assert recorded(root) == CREATED


def test_second_command_on_a_stack_names_the_first(root: Path) -> None:
    first = opened(root)
    with first.store.lock("up --stack dev"):
        for command in (
            lambda: opened(root).up(Silent(), proceed),
            lambda: opened(root).down(Silent()),
            lambda: opened(root).refresh(Silent()),
            lambda: opened(root).apply(Silent()),
        ):
            with pytest.raises(StateError, match=r"is being written by `kingdom up --stack dev`"):
                command()
        assert opened(root).preview(Silent()).ok  # reads only


# -- plans and rehearsals that leave nothing --------------------------------------------------------------


def test_plan_from_nothing_disregards_the_state(root: Path) -> None:
    opened(root).up(Silent(), proceed)
    assert ops(opened(root).plan_from_nothing()) == {"pet": Op.CREATE}


def test_plan_from_nothing_that_fails_is_an_error_with_its_reasons(root: Path) -> None:
    (root / "__main__.py").write_text(INCOMPLETE)
    for command in (opened(root).plan_from_nothing, opened(root).require_first_deployment):
        with pytest.raises(KingdomError) as caught:
            command()
        assert caught.value.message == "dev cannot be planned from nothing"
        assert list(caught.value.details) == ["media: location: missing required property"]


def test_rehearsal_creates_the_stack_and_leaves_nothing(root: Path) -> None:
    plan, created = opened(root).rehearse(Silent())
    assert (plan.planned, created.planned) == (True, False)
    (pet,) = (item for item in created.snapshot.resources if item.type == PET)
    assert pet.id
    assert not (root / ".rehearsal").exists()


@pytest.mark.slow
def test_obstacles_to_a_first_deployment_are_an_error(root: Path) -> None:
    opened(root).require_first_deployment()
    (root / "__main__.py").write_text(CACHE)
    with pytest.raises(KingdomError) as caught:
        opened(root).require_first_deployment()
    assert caught.value.message.startswith("the first deployment of dev to a new project would fail")
    assert [detail.partition(".")[0] for detail in caught.value.details] == [
        "cache: the API redis is disabled in a new project"
    ]
    assert caught.value.remedy.startswith("docs/runbooks/first-deployment.md")


def test_names_that_a_former_deployment_left_taken_are_obstacles(root: Path) -> None:
    (root / "__main__.py").write_text(
        "import pulumi_gcp as gcp\ngcp.kms.KeyRing('ring', name='main', location='europe-west1')\n"
    )
    ring = ResourceState(
        "urn:pulumi:dev::toys::gcp:kms/keyRing:KeyRing::ring",
        "gcp:kms/keyRing:KeyRing",
        True,
        inputs={"name": "main", "location": "europe-west1"},
    )
    found = []
    for former in ((), (ring,)):
        with pytest.raises(KingdomError) as caught:
            opened(root).require_first_deployment(former)
        found.append([detail for detail in caught.value.details if "stays taken" in detail])
    assert found[0] == []
    assert [detail.partition(" stays")[0] for detail in found[1]] == ["ring: the name main"]


def test_state_in_another_folder_has_a_passphrase_of_its_own(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    opened(root, state=folder).apply(Silent())
    assert (folder / "state.json").is_file()
    assert (folder / "passphrase").read_text().strip() != "of no consequence"
    assert not (root / ".rehearsal").exists()


def test_unsupported_package_is_an_error_with_the_supported_ones(root: Path) -> None:
    (root / "__main__.py").write_text(
        "import pulumi\npulumi.CustomResource('aws:s3/bucket:Bucket', 'b', {})\n"
    )
    with pytest.raises(KingdomError) as caught:
        session_module._provider("aws", None, Path())
    assert "the package 'aws', which kingdom does not support" in caught.value.message
    assert "gcp" in caught.value.remedy
    result = opened(root).preview(Silent())
    assert "which kingdom does not support" in " ".join(str(item) for item in errors(result))


# -- unchanged records ------------------------------------------------------------------------------------


def record(name: str, **options: Any) -> ResourceState:
    return ResourceState(f"urn:pulumi:dev::tiny::{PET}::{name}", PET, True, **options)


@pytest.mark.parametrize(
    ("planned", "stored", "same"),
    [
        ((record("a"), record("b")), (record("b"), record("a")), True),
        ((record("a"),), (record("a"), record("b")), False),
        ((record("a"), record("b")), (record("a"),), False),
        ((record("a", protect=True),), (record("a"),), False),
    ],
)
def test_records_are_equal_in_any_order(
    planned: tuple[ResourceState, ...], stored: tuple[ResourceState, ...], same: bool
) -> None:
    assert session_module._same_records(Snapshot(planned), Snapshot(stored)) is same


def test_pending_operations_are_a_difference() -> None:
    pending = PendingOperation("creating", record("a"))
    assert not session_module._same_records(Snapshot((record("a"),)), Snapshot((record("a"),), (pending,)))


# -- readiness --------------------------------------------------------------------------------------------


class Processes:
    """A machine whose processes and routes are not ready for a number of calls."""

    def __init__(self, calls: int) -> None:
        self._left = calls

    def waiting(self) -> list[str]:
        self._left -= 1
        return ["route / to api"] if self._left >= 0 else []

    def status(self) -> HostStatus:
        ready = self._left < 1
        state = "running" if ready else "starting"
        return HostStatus(
            "dev", [ProcessStatus("api", "Deployment", state, ready, 1, 0, 80, 0, 0.0, "no port")]
        )


def wait_ready(
    root: Path, calls: int, waiting_for: Callable[[Sequence[str]], None] = lambda names: None
) -> HostStatus:
    return opened(root).wait_ready(cast(Machine, Processes(calls)), waiting_for)


def test_processes_and_routes_are_waited_for_and_reported(root: Path) -> None:
    seen: list[list[str]] = []
    status = wait_ready(root, 2, lambda names: seen.append(list(names)))
    assert status.processes[0].ready
    assert seen == [["api", "route / to api"], ["route / to api"], []]


def test_process_that_does_not_become_ready_is_an_error(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "READY_TIMEOUT", 0.0)
    with pytest.raises(KingdomError) as caught:
        wait_ready(root, 100)
    assert caught.value.message == "not everything became ready within 0 s:"
    assert list(caught.value.details) == ["api: starting no port", "route / to api"]
    assert caught.value.remedy == "See `kingdom logs --stack dev NAME`."


def test_stack_without_a_machine_has_none(root: Path) -> None:
    assert opened(root).machine() is None


# -- interruption -----------------------------------------------------------------------------------------


class Interrupted:
    """Operation that records its interruption."""

    def __init__(self) -> None:
        self.cancel = threading.Event()

    def interrupt(self) -> None:
        self.cancel.set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_lets_steps_finish_and_the_second_ends_the_process(number: signal.Signals) -> None:
    notices: list[str] = []
    operation = Interrupted()
    before = signal.getsignal(number)
    with session_module._interruptible(cast(Operation, operation), notices.append):
        os.kill(os.getpid(), number)
        assert operation.cancel.wait(5)
        assert "press Ctrl-C again" in notices[0]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_other_threads_install_no_handlers() -> None:
    found: list[Any] = []

    def work() -> None:
        with session_module._interruptible(cast(Operation, Interrupted()), found.append):
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGINT)]


@pytest.mark.parametrize("operation", ["preview", "up", "refresh", "down", "apply"])
def test_project_that_requires_another_version_of_the_cli_is_refused(root: Path, operation: str) -> None:
    opened(root).up(Silent(), proceed)
    with (root / "Pulumi.yaml").open("a") as file:
        file.write("requiredPulumiVersion: '>=4.0.0'\n")
    arguments = (Silent(), proceed) if operation == "up" else (Silent(),)
    with pytest.raises(InputError, match=r'requiredPulumiVersion: .* the version range ">=4\.0\.0"'):
        getattr(opened(root), operation)(*arguments)
    assert recorded(root)[-1] == "random:index/randomPet:RandomPet"


def test_project_without_a_runtime_runs_no_program(root: Path) -> None:
    opened(root).up(Silent(), proceed)
    (root / "Pulumi.yaml").write_text("name: tiny\n")
    assert ops(opened(root).preview(Silent())) == {"pet": Op.DELETE}
    result = opened(root).up(Silent(), proceed)
    assert ops(result) == {"pet": Op.DELETE}
    assert result.diagnostics[0].message.startswith("the project file names no runtime")
    assert recorded(root) == []


def test_keys_without_a_value_are_a_warning(root: Path) -> None:
    (root / "Pulumi.dev.yaml").write_text("config:\n  tiny:length: 2\n  a:\n  gcp:b: ~\n  c: ''\n")
    notices: list[str] = []
    opened(root, notice=notices.append)
    (text,) = notices
    assert text.startswith("Pulumi.dev.yaml: no value for tiny:a, gcp:b: treated as an empty text")
