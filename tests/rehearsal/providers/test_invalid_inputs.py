"""Invalid inputs in all clouds: every problem is found at its path, and no other."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.rehearsal.providers.calls import Calls, urn
from tests.rehearsal.providers.invalid_inputs import WRONG, Wrong


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong.token}-{'-'.join(wrong.problems)}")
def test_every_problem_is_found_where_it_is(
    gcp: Calls, kubernetes: Calls, atlas: Calls, cloudflare: Calls, wrong: Wrong
) -> None:
    clouds = {"gcp": gcp, "kubernetes": kubernetes, "mongodbatlas": atlas, "cloudflare": cloudflare}
    failures = clouds[wrong.token.partition(":")[0]].check(urn(wrong.token), dict(wrong.inputs)).failures
    assert failures.keys() == wrong.problems.keys(), failures
    assert not {
        path: failures[path] for path, reason in wrong.problems.items() if reason not in failures[path]
    }


LOOK_UP = """
import threading
from rehearsal.providers.schema import resource_type

missing = []

def look_up():
    barrier.wait()
    if resource_type("gcp:redis/instance:Instance") is None:
        missing.append(True)

barrier = threading.Barrier(8)
threads = [threading.Thread(target=look_up) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(missing))
"""


def test_a_type_is_found_by_the_first_concurrent_requests() -> None:
    """The SDK's module is still being loaded then, in a process of its own as `kingdom cloud` is one."""
    done = subprocess.run([sys.executable, "-c", LOOK_UP], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
