"""Functions that depend on resources have an unknown result until these exist."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from rehearsal.engine.program.resource_tracker import ResourceTracker
from rehearsal.pulumi.properties import UNKNOWN
from tests.rehearsal.engine.conftest import Stack
from tests.rehearsal.engine.fake_provider import Cloud


@pytest.fixture
def tracker() -> ResourceTracker:
    tracker = ResourceTracker()
    tracker.track("component", "", custom=False, created=False)
    tracker.track("inner", "component", custom=False, created=False)
    tracker.track("created", "inner", custom=True, created=True)
    tracker.track("below", "created", custom=True, created=False)
    tracker.track("planned", "", custom=True, created=False)
    return tracker


@pytest.mark.parametrize(
    ("roots", "absent"),
    [
        ([], False),
        (["created"], False),
        (["component", "created"], False),  # not what lies below a custom resource
        (["below"], True),
        (["created", "planned"], True),
        (["unknown"], False),
    ],
)
def test_resource_is_absent_by_itself_or_within_a_component(
    tracker: ResourceTracker, roots: list[str], absent: bool
) -> None:
    assert tracker.has_absent(roots) is absent


def test_registration_in_progress_within_a_component_is_waited_for(tracker: ResourceTracker) -> None:
    began, may_end = threading.Event(), threading.Event()

    def register() -> None:
        with tracker.registering("inner"):
            began.set()
            assert may_end.wait(30)
            tracker.track("late", "inner", custom=True, created=False)

    with ThreadPoolExecutor() as pool:
        pool.submit(register)
        assert began.wait(30)
        assert tracker.has_absent(["created"]) is False
        found = pool.submit(tracker.has_absent, ["component"])
        assert not found.done()
        may_end.set()
        assert found.result(30) is True


def test_function_that_depends_on_a_new_provider_is_called_in_a_preview(stack: Stack, cloud: Cloud) -> None:
    """As under the CLI, where providers are configured in a preview."""
    cloud.functions["toy:index:one"] = lambda args: {"one": 1}
    result = stack.preview("""
        def one(*dependencies):
            options = pulumi.InvokeOutputOptions(depends_on=list(dependencies))
            return pulumi.runtime.invoke_output("toy:index:one", {}, options)["one"]

        group = Group("group")
        Thing("thing", ResourceOptions(parent=group))
        pulumi.export("provider", one(Provider("p")))
        pulumi.export("resource", one(Thing("a")))
        pulumi.export("component", one(group))
        pulumi.export("empty", one(Group("empty")))
    """)
    assert result.outputs == {"provider": 1, "resource": UNKNOWN, "component": UNKNOWN, "empty": 1}
