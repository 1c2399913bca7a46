"""Every alert links to a section of the page on operating production."""

from __future__ import annotations

import re

import yaml

from infra.observability.notification_channels import page_of
from tests.infra.rehearsal import ROOT, configuration

PAGE = (ROOT / "docs/operating.md").read_text()


def alerts() -> dict[str, str]:
    """The sections that the alerts of prod name, by alert."""
    content = yaml.safe_load((ROOT / "tests/infra/inventory/prod.yaml").read_text())
    found: dict[str, str] = {}
    for types in content["resources"].values():
        for kind, named in types.items():
            if kind.endswith(":AlertPolicy"):
                for name, properties in named.items():
                    page = re.search(r"`(docs/[^`]+)`", properties["documentation"]["content"])
                    assert page is not None, name
                    found[name] = page[1]
    return found


def test_every_alert_names_a_row_of_the_page() -> None:
    found = alerts()
    assert len(found) > 20
    anchors = {f"docs/operating.md#{name}" for name in re.findall(r'<a id="([\w-]+)"></a>', PAGE)}
    assert set(found.values()) == anchors - {page_of("alr5")}  # Atlas sends that one


def test_the_objectives_and_ceilings_are_those_of_the_stack_files() -> None:
    objectives = configuration("prod")["kingdom:observability"]["objectives"]
    assert f"| {objectives['availabilityPercent']:g} % |" in PAGE
    assert f"requests within {objectives['fastSeconds']:g} s | {objectives['fastPercent']:g} % |" in PAGE
    for stack in ("dev", "staging", "prod"):
        ceiling = int(configuration(stack)["policies:monthlyCeiling"])
        (row,) = re.findall(rf"(?m)^\| {stack} \| .* \| {ceiling:,} \|$", PAGE)
        assert row in (ROOT / "README.md").read_text()
