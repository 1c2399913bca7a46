"""The load test makes the journeys that the mobile client's end-to-end tests record."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from app.application import PUBLIC
from loadtest.accounts import Account
from loadtest.journeys import FILE, journeys
from loadtest.operations import OPERATIONS
from loadtest.scenarios import load


def test_the_mixed_load_has_the_operations_of_every_journey_by_weight() -> None:
    mix = load().mix("mixed")
    counts: Counter[str] = Counter()
    for journey in json.loads(FILE.read_text()).values():
        for step in journey["steps"]:
            for operation in step["requests"]:
                counts[operation] += journey["weight"]
    # Operations that are also listed one by one have a larger share than the journeys give them.
    assert set(counts) <= set(mix)
    feed = mix["GET /v1/feed"] / counts["GET /v1/feed"]
    for operation, count in counts.items():
        assert mix[operation] == pytest.approx(feed * count), operation


def test_every_operation_of_a_mix_can_be_sent() -> None:
    account = Account("ada@example.com", "a", "t", ["r"], ["c"], [{"id": "f", "image": "/v1/media/m/n"}])
    for name, mix in load().mixes.items():
        for operation in mix:
            request = OPERATIONS[operation](account, random.Random(1))
            method, _, path = operation.partition(" ")
            assert request.method == method, (name, operation)
            assert re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), request.path.partition("?")[0]), operation
            account.refresh_tokens = ["r"]


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
