"""The load test makes the journeys that the mobile client's end-to-end tests record."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from app.application import PUBLIC
from loadtest.journeys import FILE, journeys

ROOT = Path(__file__).parents[2]
# Locust replaces sockets and threads of its process, so it has one of its own.
WALK = """
import json
from locust.env import Environment
from loadtest.journey_users import OPERATIONS, JourneyUser
from loadtest.mixes import MIXES

walked, weights = {}, {}
for user, weight in MIXES["mixed"].items():
    if not issubclass(user, JourneyUser):
        continue
    sent = []
    for name in user.journey.operations:
        OPERATIONS[name]  # a KeyError names what the load test cannot send
    user.host = "https://localhost"
    made = user(Environment())
    import loadtest.journey_users as module
    module.OPERATIONS = {name: (lambda user, name=name: sent.append(name)) for name in OPERATIONS}
    made.walk()
    walked[user.journey.name], weights[user.journey.name] = sent, weight
print(json.dumps({"walked": walked, "weights": weights}))
"""


def test_the_mixed_load_sends_the_requests_of_every_journey_in_order_and_by_weight() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WALK],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    stored = json.loads(FILE.read_text())
    expected = {name: [each for step in journey["steps"] for each in step["requests"]]
                for name, journey in stored.items()}  # fmt: skip
    assert result["walked"] == expected
    assert result["weights"] == {name: journey["weight"] for name, journey in stored.items()}


def test_every_request_of_a_journey_is_an_operation_of_the_service() -> None:
    operations = {f"{endpoint.method} {endpoint.path}" for part in PUBLIC for endpoint in part.endpoints}
    for journey in journeys():
        assert journey.operations, journey.name
        assert set(journey.operations) <= operations, journey.name


def test_a_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "journeys.json"
    file.write_text('{"browse": {"weight": 1, "description": "", "steps": [{"name": "open"}]}}')
    with pytest.raises(msgspec.ValidationError, match="thinkSeconds"):
        journeys(file)
