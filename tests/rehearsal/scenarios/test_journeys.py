"""The journeys that the mobile client's end-to-end tests record."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from app.application import PUBLIC
from rehearsal.scenarios.journeys import journeys


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
