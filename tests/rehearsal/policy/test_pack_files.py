"""The manifest, the interpreter and the configuration file of a policy pack."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from rehearsal.errors import InputError, KingdomError
from rehearsal.policy.pack_files import (
    PolicyConfigError,
    PolicyPackError,
    load_config,
    manifest_of,
    python_of,
)


def test_manifest_is_the_mapping_in_the_pack_folder(tmp_path: Path) -> None:
    (tmp_path / "PulumiPolicy.yaml").write_text("runtime: {name: python}\nversion: 4.5.6\n")
    assert manifest_of(tmp_path) == {"runtime": {"name": "python"}, "version": "4.5.6"}


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_folder_without_a_manifest_is_an_error_with_the_option_to_use(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PolicyPackError) as caught:
        manifest_of(tmp_path / name)
    assert caught.value.message == f"no policy pack at {tmp_path / name}: it has no PulumiPolicy.yaml"
    assert "--policy-pack" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"runtime: nodejs\n", "must have `runtime: python`; it has 'nodejs'"),
        (b"runtime: {name: opa}\n", "must have `runtime: python`; it has 'opa'"),
        (b"version: 1\n", "must have `runtime: python`; it has None"),
        (b"- runtime: python\n", "must have `runtime: python`; it has None"),
        (b"", "must have `runtime: python`; it has None"),
        (b"runtime: [python\n", "cannot read .*PulumiPolicy.yaml: .*line 2, column 1"),
        (b"\xff", "cannot read .*PulumiPolicy.yaml: "),
    ],
)
def test_unusable_manifest_is_an_error_with_its_reason(tmp_path: Path, text: bytes, reason: str) -> None:
    (tmp_path / "PulumiPolicy.yaml").write_bytes(text)
    with pytest.raises(PolicyPackError, match=reason) as caught:
        manifest_of(tmp_path)
    assert "\n" not in caught.value.message
    assert caught.value.remedy == "Fix the pack and run the command again."


@pytest.mark.parametrize(
    "runtime",
    [
        "python",
        {"name": "python"},
        {"name": "python", "options": None},
        {"name": "python", "options": ["virtualenv"]},
        {"name": "python", "options": {"virtualenv": None}},
        {"name": "python", "options": {"virtualenv": "absent"}},
        {"name": "python", "options": {"virtualenv": ""}},
    ],
)
def test_pack_without_an_environment_of_its_own_runs_with_this_interpreter(
    tmp_path: Path, runtime: Any
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    assert python_of(tmp_path, {"runtime": runtime}) == Path(sys.executable)


def test_pack_runs_with_the_interpreter_of_its_environment(tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    manifest = {"runtime": {"name": "python", "options": {"virtualenv": "venv"}}}
    assert python_of(tmp_path, manifest) == python


@pytest.mark.parametrize(
    ("text", "config"),
    [("", {}), (" \n", {}), ("{}", {}), ('{"all": "advisory"}', {"all": "advisory"})],
)
def test_configuration_file_is_a_json_object_or_empty(
    tmp_path: Path, text: str, config: dict[str, Any]
) -> None:
    file = tmp_path / "config.json"
    file.write_text(text)
    assert load_config(file) == config


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"all": mandatory}', r"is not JSON: .*line 1 column 9"),
        (b"[]", "must be an object of policies"),
        (b"null", "must be an object of policies"),
        (b"\xff", "is not JSON: 'utf-8' codec"),
    ],
)
def test_unusable_configuration_file_is_an_error_with_its_position(
    tmp_path: Path, text: bytes, reason: str
) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(text)
    with pytest.raises(PolicyConfigError, match=reason) as caught:
        load_config(file)
    assert str(file) in caught.value.message


def test_missing_configuration_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PolicyConfigError, match=r"policy configuration .*missing\.json: No such file"):
        load_config(tmp_path / "missing.json")


def test_wrong_configuration_is_an_input_error_and_a_broken_pack_is_not() -> None:
    assert (PolicyConfigError("x").exit_code, PolicyPackError("x").exit_code) == (2, 1)
    assert issubclass(PolicyConfigError, InputError)
    assert issubclass(PolicyPackError, KingdomError)
