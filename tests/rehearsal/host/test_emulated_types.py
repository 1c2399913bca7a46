"""Types that the host emulates."""

from __future__ import annotations

import pytest

from rehearsal.host.emulated_types import EMULATED_TYPES


@pytest.mark.parametrize(
    ("type_", "emulated"),
    [
        ("gcp:redis/instance:Instance", True),
        ("gcp:redis/cluster:Cluster", False),
        ("kubernetes:core/v1:Pod", True),
        ("cloudflare:index/ruleset:Ruleset", True),
        ("kubernetes", False),
        ("mongodbatlas:index/project:Project", False),
        (1, False),
    ],
)
def test_single_types_and_whole_packages(type_: object, emulated: bool) -> None:
    assert (type_ in EMULATED_TYPES) == emulated
