"""Rules in the wording of the documentation become data."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import pytest

from rehearsal.providers.constraints import facts
from rehearsal.providers.constraints.names import mapped_type
from tools.documented_rules import documented, rules

# Types with rules that only the documentation states.
SAMPLES: dict[str, tuple[str, ...]] = {
    "cloudflare": (),
    "gcp": ("gcp:vpcaccess/connector:Connector",),
    "mongodbatlas": (),
}
SECONDS = r"^-?\d+(\.\d{1,9})?s$"


@pytest.mark.parametrize(
    ("doc", "kind", "rule"),
    [
        ("The mode. Possible values are: `A`, `B`.", "string", {"enum": ["A", "B", ""]}),
        ("The mode. Possible values include `A`, `B` and others.", "string", {}),
        (
            "A duration in seconds with up to nine fractional digits, ending with 's'. Example: \"3.5s\".",
            "string",
            {"patterns": [SECONDS], "or_empty": True},
        ),
        ("The time, in RFC3339 text format.", "string", {"format": "rfc3339", "or_empty": True}),
        ("The tag, which must be in the range 2-4094.", "int", {"min": 2, "max": 4094}),
        ("The value must be between 1 and 65,535, inclusive.", "int64", {"min": 1, "max": 65_535}),
        ("The protocol. Each value may be one of: `tcp`, `udp`.", "string", {"enum": ["tcp", "udp", ""]}),
        ("At most one of `key`, `raw_key` or `rsa_key`.", "string", {}),
        ("The mode. Must be one of `A`, `B` or `C` in the first zone.", "string", {}),
        ("The mode, for example one of `A` or `B`.", "string", {}),
        ("Must be between 1 and 10, or between 20 and 30 with SSD.", "int", {}),
        ("The mode. Possible values are: `A`, `B`.", "int", {}),
    ],
)  # fmt: skip
def test_rule_of_a_documented_property(doc: str, kind: str, rule: dict[str, Any]) -> None:
    assert rules(doc, kind) == rule


def test_rules_that_the_provider_has_are_left_out() -> None:
    token = "gcp:redis/instance:Instance"
    known = facts.read("gcp", "google_redis_instance")
    assert known is not None
    assert not [path for path in documented(token) if known.attributes[path].keys() & {"enum", "patterns"}]


@pytest.mark.parametrize("package", facts.PACKAGES)
def test_files_are_those_of_the_installed_sdks(package: str) -> None:
    """Compare the head and some types of each file, since all would take minutes."""
    head, *lines = (facts.FOLDER / f"{package}_documented.jsonl").read_text().splitlines()
    assert json.loads(head) == {"source": f"documentation of pulumi-{package} {version(f'pulumi-{package}')}"}
    written = dict(line.split(" ", 1) for line in lines)
    tokens = {mapped.resource.name: token for token in SAMPLES[package] if (mapped := mapped_type(token))}
    assert tokens.keys() <= written.keys()
    for name, token in tokens.items():
        assert json.loads(written[name]) == documented(token)
