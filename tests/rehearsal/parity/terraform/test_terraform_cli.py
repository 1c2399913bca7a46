"""The program's resources through Terraform's CLI: valid, and planned to be created, without a refresh."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rehearsal.parity.terraform import cli, plugin
from tests.rehearsal.parity.terraform.comparison import CONFIGURATION, Comparison
from tests.rehearsal.providers.constraints.stacks import planned

pytestmark = [pytest.mark.providers, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("package", sorted(plugin.NAMES))
def test_a_converted_plan_is_valid_and_creates_every_resource(package: str, tmp_path: Path) -> None:
    folder = plugin.folder()
    if cli.find_cli() is None:
        pytest.skip("neither terraform nor tofu is on PATH")
    if folder is None or not cli.executables(folder, package):
        names = " or ".join(plugin.NAMES[package])
        pytest.skip(f"no {names} in the folder PROVIDERS ({folder or 'not set'})")
    with plugin.running(folder / cli.executables(folder, package)[0]) as provider:
        comparison = Comparison(package, provider)
        resources = {}
        for number, (token, inputs) in enumerate(planned("prod")):
            if comparison.covers(token):
                mapped, _, config = comparison.config(token, inputs)
                resources[mapped.resource.name, f"r{number}"] = config
    config = cli.configuration(package, CONFIGURATION[package], resources)
    checked = cli.run(tmp_path, package, folder.resolve(), config, "validate", "-json")
    assert checked.code == 0, checked.errors
    planning = ("plan", "-refresh=false", "-json", "-input=false")
    done = cli.run(tmp_path, package, folder.resolve(), config, *planning)
    assert done.code == 0, done.errors
    assert {name for name, actions in done.changes.items() if actions == ["create"]} >= {
        f"{type_}.{name}" for type_, name in resources
    }
