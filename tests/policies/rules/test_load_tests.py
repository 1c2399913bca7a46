"""A load generator is recognized by the last part of its image's name."""

from __future__ import annotations

import pytest

from policies.rules.load_tests import image_name


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("europe-west1-docker.pkg.dev/p/kingdom/loadtest@sha256:00", "loadtest"),
        ("grafana/k6:2.2.0", "k6"),
        ("localhost:5000/locust:1@sha256:00", "locust"),
        ("localhost:5000/loadtest-data", "loadtest-data"),
        ("", ""),
    ],
)
def test_the_name_has_neither_registry_nor_tag_nor_digest(image: str, name: str) -> None:
    assert image_name(image) == name
