"""The operations of the mixes are those of the recorded journeys, and each can be sent."""

from __future__ import annotations

import json
import random
import re
from collections import Counter

import pytest

from loadtest.generator.accounts import Account
from loadtest.generator.operations import OPERATIONS
from rehearsal.scenarios.catalog import load
from rehearsal.scenarios.journeys import FILE


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
