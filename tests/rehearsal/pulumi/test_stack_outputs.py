"""Outputs of other stacks: from their rehearsed state, else from values in the stack file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rehearsal.engine.state.resource_state import ResourceState, Snapshot
from rehearsal.engine.state.secrets import passphrase
from rehearsal.engine.state.store import Store
from rehearsal.errors import InputError
from rehearsal.pulumi.project import Project, Stack
from rehearsal.pulumi.properties import Secret
from rehearsal.pulumi.stack_outputs import StackOutputs
from rehearsal.pulumi.urn import ROOT_STACK_TYPE, make_urn


@pytest.fixture(autouse=True)
def _passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of no consequence")


def outputs_of(root: Path, references: Any = None) -> StackOutputs:
    """The outputs that the stack `dev` of the project `shop` in `root` may read."""
    project = Project(root, "shop", root, root)
    stack = Stack("dev", root / "Pulumi.dev.yaml", {}, None, references=references)
    return StackOutputs(project, stack, root / ".rehearsal")


def rehearse(
    root: Path, project: str, stack: str, outputs: dict[str, Any], type_: str = ROOT_STACK_TYPE
) -> None:
    """Record a stack with `outputs` in the project folder `root`."""
    folder = root / ".rehearsal"
    urn = make_urn(stack, project, type_, f"{project}-{stack}")
    store = Store(folder / stack, lambda new: passphrase(folder, new=new))
    with store.lock("up"):
        store.fold(Snapshot((ResourceState(urn, type_, False, outputs=outputs),)))


@pytest.mark.parametrize(
    "name",
    ["prod", "organization/prod", "acme/prod", "organization/shop/prod", "/prod", "organization//prod"],
)
def test_stack_of_this_project_is_read_from_its_rehearsed_state(tmp_path: Path, name: str) -> None:
    rehearse(tmp_path, "shop", "prod", {"url": "https://a", "key": Secret("k")})
    assert outputs_of(tmp_path)(name) == {"url": "https://a", "key": Secret("k")}


@pytest.mark.parametrize("name", ["prod", "other/prod", "organization/other/dev", "acme/other/prod"])
def test_stack_without_state_is_unknown(tmp_path: Path, name: str) -> None:
    rehearse(tmp_path, "shop", "dev", {"url": "https://a"})
    assert outputs_of(tmp_path)(name) is None


def test_destroyed_stack_has_no_outputs(tmp_path: Path) -> None:
    """`kingdom down` deletes the state and leaves its folder."""
    rehearse(tmp_path, "shop", "prod", {"url": "https://a"})
    (tmp_path / ".rehearsal" / "prod" / "state.json").unlink()
    assert outputs_of(tmp_path)("prod") == {}


@pytest.mark.parametrize("name", ["dev", "organization/dev", "organization/shop/dev"])
def test_stack_itself_has_no_outputs_before_its_first_update(tmp_path: Path, name: str) -> None:
    assert outputs_of(tmp_path)(name) == {}
    rehearse(tmp_path, "shop", "dev", {"url": "https://a"})
    assert outputs_of(tmp_path)(name) == {"url": "https://a"}


def test_secrets_of_a_stack_with_another_passphrase_are_empty_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rehearse(tmp_path, "shop", "prod", {"url": "https://a", "keys": [Secret("k"), {"b": Secret(1)}]})
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "another")
    notices: list[str] = []
    project = Project(tmp_path, "shop", tmp_path, tmp_path)
    stack = Stack("dev", tmp_path / "Pulumi.dev.yaml", {}, None)
    outputs = StackOutputs(project, stack, tmp_path / ".rehearsal", notices.append)("prod")
    assert outputs == {"url": "https://a", "keys": [Secret({}), {"b": Secret({})}]}
    assert notices == ["the secrets of stack prod have another passphrase: they are empty objects"]


def test_state_without_a_root_stack_has_no_outputs(tmp_path: Path) -> None:
    rehearse(tmp_path, "shop", "prod", {"a": 1}, "random:index/randomPet:RandomPet")
    assert outputs_of(tmp_path)("prod") == {}


@pytest.mark.parametrize("name", ["", "a/", "a/b/c/d", "a b", "a/b/c$", "..", "a/.", "x" * 101])
def test_name_of_another_form_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="is not the name of a stack, such as organization/project/stack"):
        outputs_of(tmp_path)(name)


def test_given_values_take_precedence_over_the_rehearsed_state(tmp_path: Path) -> None:
    rehearse(tmp_path, "shop", "prod", {"url": "https://a"})
    assert outputs_of(tmp_path, {"shop/prod": {"url": "https://b"}})("shop/prod") == {"url": "https://b"}
    # A value belongs to the name that the program uses.
    assert outputs_of(tmp_path, {"shop/prod": {"url": "https://b"}})("prod") == {"url": "https://a"}


def test_mapping_of_nothing_but_secret_is_a_secret(tmp_path: Path) -> None:
    given = {
        "other/prod": {
            "key": {"secret": "k"},
            "list": [{"secret": {"deep": {"secret": 1}}}, {"secret": 2, "more": 3}],
            8080: "port",
        }
    }
    assert outputs_of(tmp_path, given)("other/prod") == {
        "key": Secret("k"),
        "list": [Secret({"deep": Secret(1)}), {"secret": 2, "more": 3}],
        "8080": "port",
    }


def test_given_text_is_the_folder_of_a_project_beside_the_stack_file(tmp_path: Path) -> None:
    rehearse(tmp_path / "other", "other", "prod", {"url": "https://o"})
    shop = tmp_path / "shop"
    shop.mkdir()
    assert outputs_of(shop, {"other/prod": "../other"})("other/prod") == {"url": "https://o"}
    assert outputs_of(shop, {"other/dev": "../other"})("other/dev") is None
    assert outputs_of(shop, {"other/prod": "../absent"})("other/prod") is None


def test_references_may_be_in_a_file_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "references.yaml").write_text("other/prod: {url: https://o}\n")
    assert outputs_of(tmp_path, "references.yaml")("other/prod") == {"url": "https://o"}
    with pytest.raises(InputError, match=r"absent\.yaml cannot be read"):
        outputs_of(tmp_path, "absent.yaml")("other/prod")


@pytest.mark.parametrize(
    ("references", "reason"),
    [
        (
            {"other/prod": ["a"]},
            "other/prod must be a mapping of outputs or the folder of a project, not a list",
        ),
        (
            {"other/prod": None},
            "other/prod must be a mapping of outputs or the folder of a project, not None",
        ),
        (["a"], "must be a mapping or the path of a file, not a list"),
        (7, "must be a mapping or the path of a file, not 7"),
    ],
)
def test_malformed_references_are_an_error_in_the_stack_file(
    tmp_path: Path, references: Any, reason: str
) -> None:
    with pytest.raises(InputError) as caught:
        outputs_of(tmp_path, references)("other/prod")
    assert f"{tmp_path}/Pulumi.dev.yaml: rehearsal:stackReferences" in caught.value.message
    assert caught.value.message.endswith(reason)
