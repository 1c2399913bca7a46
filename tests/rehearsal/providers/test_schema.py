"""Types found in the SDKs while the program imports the same SDKs in other threads."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rehearsal.providers import schema

_SDK = """
import threading
import pulumi

begun.set()
assert goes_on.wait(10)

class ThingArgs:
    def __init__(self, *, size): pass

class Thing(pulumi.CustomResource):
    pass
"""


def test_a_type_is_found_while_another_thread_still_imports_its_sdk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, goes_on = threading.Event(), threading.Event()
    (tmp_path / "slow_sdk.py").write_text(f"from {__name__}_events import begun, goes_on\n{_SDK}")
    events = type(sys)(f"{__name__}_events")
    vars(events).update(begun=begun, goes_on=goes_on)
    monkeypatch.setitem(sys.modules, events.__name__, events)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(schema._SDK, "slow", "slow_sdk")
    with ThreadPoolExecutor(2) as threads:
        program = threads.submit(__import__, "slow_sdk")
        assert begun.wait(10)
        cloud = threads.submit(schema.resource_type, "slow:index:Thing")
        # It either waits for the import, or has returned from half of a module by now.
        with pytest.raises(TimeoutError):
            cloud.result(0.2)
        goes_on.set()
        program.result(10)
        found = cloud.result(10)
    monkeypatch.delitem(sys.modules, "slow_sdk")
    assert found is not None
    assert found.args.__name__ == "ThingArgs"
