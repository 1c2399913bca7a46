"""`kingdom check` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from rehearsal.cli.commands.kubernetes import check
from rehearsal.errors import InputError

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  hostNetwork: true\n  containers: []\n"


def test_place_of_a_finding_is_printed_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # `:100:` is the code of an emoji, and brackets are markup elsewhere.
    file = tmp_path / "pod.yaml"
    file.write_text("\n" * 95 + POD)
    with pytest.raises(typer.Exit) as ended:
        check([str(file)], only=["pss-host-namespaces"])
    assert ended.value.exit_code == 1
    assert capsys.readouterr().out.startswith(
        f"{file}:100: mandatory [critical] pss-host-namespaces (Pod a)\n"
        "    spec.hostNetwork: must not be true"
    )


def test_sarif_is_written_to_the_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(POD)
    with pytest.raises(typer.Exit):
        check([str(file)], only=["pss-host-namespaces"], sarif=Path("-"))
    [run] = json.loads(capsys.readouterr().out)["runs"]
    assert [item["ruleId"] for item in run["results"]] == ["pss-host-namespaces"]
    with pytest.raises(InputError, match="both write to the output"):
        check([str(file)], sarif=Path("-"), as_json=True)
