"""Tests of stack configuration with values that ``pulumi config set --secret`` encrypted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rehearsal.errors import KingdomError
from rehearsal.pulumi.config import go_json, merged
from rehearsal.pulumi.properties import UNKNOWN, Secret
from tests.rehearsal.engine.program_folders import Case, messages

# Written by the Pulumi CLI 3.260 with this passphrase.
PASSPHRASE = "correct horse"
STACK_FILE = """\
encryptionsalt: v1:SCzZ18K9i64=:v1:DU39Ok/NLu2HQz0R:mJp4SLdhxggdkHAZggqSiO83voSMwg==
config:
  t:pw:
    secure: v1:cCKuZme78jEmCiYH:hvLQY1QI3tdU0lYzUz+x+X456MVJqQPk
  t:db:
    password:
      secure: v1:xH/31/GkWOp0VZIE:z5i1ieCY8JPLe11vT5oaaPSiLCXh
  t:plain: text
  t:step: 0
  gcp:project: ours
  gcp:credentials:
    secure: v1:5Ee/ryxKzyAd0y4v:B4i0eIAK0q9e10rWKOlAR/hi/POYlV1xFFJPyg==
"""
PROGRAM = """\
import os, pulumi
from toys import *

config = pulumi.Config()
pulumi.export("pw", config.require_secret("pw"))
pulumi.export("db", config.require_secret_object("db"))
pulumi.export("plain", config.require("plain"))
pulumi.export("keys", os.environ["PULUMI_CONFIG_SECRET_KEYS"])
Bucket("b", labels={"a": config.require_secret("pw")})
"""


@pytest.fixture
def case(tmp_path: Path) -> Case:
    case = Case.copy("policy-pack-required", tmp_path)
    (tmp_path / "Pulumi.dev.yaml").write_text(STACK_FILE)
    (tmp_path / "__main__.py").write_text(PROGRAM)
    return case


def test_passphrase_decrypts_values_and_they_stay_secret(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE)
    outputs = case.up().outputs
    assert outputs["pw"] == Secret("opened 7")
    assert outputs["db"] == Secret({"password": "inner"})
    assert outputs["plain"] == "text"
    assert json.loads(outputs["keys"]) == ["gcp:credentials", "t:db", "t:pw"]
    assert case.record("b").inputs["labels"] == {"a": Secret("opened 7")}
    assert "opened 7" not in case.state.read_text()


def test_secret_that_a_plain_getter_returned_is_recorded_and_not_displayed(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE)
    program = case.root / "__main__.py"
    program.write_text(
        "import pulumi\nfrom toys import *\nopened = pulumi.Config().require('pw')\n"
        "pulumi.export('pw', opened)\npulumi.warn(opened)\nPet('p', prefix=opened)\n"
    )
    result = case.up()
    assert result.outputs["pw"] == "[secret]"
    assert messages(result) == ["[secret]"]
    assert case.record("p").inputs["prefix"] == "opened 7"
    program.write_text(program.read_text().replace("prefix=opened", "prefix=opened + ' more'"))
    changes = [change for step in case.preview().steps for change in step.changes]
    assert [(change.old, change.new) for change in changes] == [("[secret]", "[secret] more")]
    program.write_text(f"{program.read_text()}raise pulumi.RunError(opened)\n")
    with pytest.raises(KingdomError, match=r"^\[secret\]$"):
        case.up()


def test_passphrase_may_be_in_a_file(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    (case.root / "passphrase").write_text(f" {PASSPHRASE} \t\n\n")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE_FILE", str(case.root / "passphrase"))
    assert case.preview().outputs["pw"] == Secret("opened 7")


def test_wrong_passphrase_is_an_error(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "battery staple")
    with pytest.raises(KingdomError, match="passphrase"):
        case.preview()


def test_salt_has_no_effect_beside_a_key_service(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE)
    file = case.root / "Pulumi.dev.yaml"
    file.write_text(f"secretsprovider: gcpkms://projects/p/keyRings/k\n{file.read_text()}")
    assert case.preview().outputs["pw"] == Secret(UNKNOWN)
    with pytest.raises(KingdomError, match="can only be previewed"):
        case.up()


def test_preview_without_a_passphrase_has_unknown_secrets(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE_FILE", raising=False)
    result = case.preview()
    assert result.ok, messages(result)
    assert (result.outputs["pw"], result.outputs["plain"]) == (Secret(UNKNOWN), "text")
    unknown = [text.split()[1] for text in messages(result) if "is encrypted and was not decrypted" in text]
    assert unknown == ["gcp:credentials", "t:db", "t:pw"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1.0, "a": [True, None, "é<"]}, '{"a":[true,null,"é\\u003c"],"b":1}'),
        (1e21, "1e+21"),
        (1e-7, "1e-7"),
        (-0.0, "-0"),
        (0.1, "0.1"),
        ([2**63], "[9223372036854776000]"),
    ],
)
def test_structured_values_are_formatted_as_by_go(value: object, text: str) -> None:
    assert go_json(value) == text


def test_negative_zero_is_the_integer_zero() -> None:
    config, problems = merged({"p:a": -0.0, "p:b": [-0.0]}, {}, "p", lambda text: None)
    assert (config.values, problems) == ({"p:a": "0", "p:b": "[0]"}, [])


def test_key_without_a_value_is_an_empty_text() -> None:
    stack: dict[str, object] = {"p:a": None, "b": None, "p:c": [None, {"d": None}]}
    config, problems = merged(stack, {"b": {"type": "string"}}, "p", lambda text: None)
    assert problems == []
    assert config.values == {"p:a": "", "p:b": "", "p:c": '[null,{"d":null}]'}


def test_key_that_is_not_text_is_an_error() -> None:
    config, problems = merged({5: "a", True: "b"}, {}, "p", lambda text: None)
    assert problems == [f"config.{key}: a key must be text; put it in quotes" for key in (5, True)]
    assert config.values == {}


@pytest.mark.parametrize("other", ["a", "t:config:a"])
@pytest.mark.parametrize("one", ["1", 1])
@pytest.mark.parametrize("another", [2, True])
def test_two_spellings_of_a_key_with_different_values_are_refused(
    other: str, one: object, another: object
) -> None:
    """The CLI applies the value that its map returns last, in random order."""
    config, problems = merged({"t:a": 1, other: one}, {}, "t", lambda _: None)
    assert (config.values, problems) == ({"t:a": "1"}, [])
    _, (problem,) = merged({"t:a": 1, other: another}, {}, "t", lambda _: None)
    assert problem.startswith(f"config.{other}: another spelling of t:a has another value")


def test_two_declarations_of_a_key_are_refused() -> None:
    _, problems = merged({}, {"a": "x", "t:a": "y"}, "t", lambda _: None)
    assert problems == ["Pulumi.yaml: config.t:a: a declares t:a too; remove one declaration"]


def test_number_without_a_text_has_one_problem() -> None:
    _, problems = merged({"a": float("nan")}, {}, "t", lambda _: None)
    assert len(problems) == 1


def test_two_spellings_without_a_value_are_named_once() -> None:
    config, problems = merged({"t:a": None, "a": None}, {}, "t", lambda _: None)
    assert (config.empty, problems) == (("t:a",), [])


def test_problems_are_listed_together() -> None:
    _, problems = merged(
        {"a:b:c:d": 1, "count": "many"},
        {"count": {"type": "integer"}, "needed": {"type": "string"}},
        "t",
        lambda text: None,
    )
    assert len(problems) == 3
    assert "config.a:b:c:d: a key has the form namespace:name" in problems


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (7, ""),
        ("text", ""),
        (True, ""),
        ([1.5], ""),
        (1.5, "1.5 needs the long form, {default: 1.5}"),
        (2**63, f"{2**63} needs the long form"),
        (None, "Pulumi.yaml declares a without a default"),
    ],
)
def test_short_form_of_a_declaration_is_what_the_cli_accepts(spec: object, problem: str) -> None:
    _, problems = merged({}, {"a": spec}, "t", lambda text: text)
    assert len(problems) == bool(problem)
    assert problem in "".join(problems)


def test_setting_of_a_provider_without_text_in_short_form_needs_a_value() -> None:
    _, problems = merged({}, {"gcp:scale": 1.5}, "t", lambda text: text)
    assert problems == ["Pulumi.yaml: config.gcp:scale: 1.5 needs the long form, {value: 1.5}"]


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"type": "string", "default": 5}, "its default is not of the type string"),
        (
            {"type": "array", "items": {"type": "string"}, "default": [1]},
            "its default is not of the type array<string>",
        ),
        ({"type": "object", "properties": {}, "default": {}}, "properties is unknown; the keys are type,"),
        ({"type": "string", "default": "5"}, ""),
        ({"type": "integer", "default": "5", "secret": False, "description": "d"}, ""),
    ],
)
def test_declaration_is_checked_as_by_the_cli(spec: object, problem: str) -> None:
    _, problems = merged({}, {"a": spec}, "t", lambda text: text)
    assert len(problems) == bool(problem)
    assert problem in "".join(problems)
