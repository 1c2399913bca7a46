"""Project and stack files: where they are found, and the error for each that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.errors import InputError
from rehearsal.pulumi.project import Project, policy_config, with_policy_config

PROJECT = "name: shop\nruntime: python\nmain: infra\nstackConfigDir: stacks\n"


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(
        tmp_path,
        {"Pulumi.yaml": PROJECT, "infra/__main__.py": "", "stacks/Pulumi.dev.yaml": "config: {}\n"},
    )
    return tmp_path


def stack_text(root: Path, text: str) -> None:
    (root / "stacks" / "Pulumi.dev.yaml").write_text(text)


# -- the project ------------------------------------------------------------------------------------------


def test_project_is_found_from_any_folder_within(root: Path) -> None:
    for start in (root, root / "infra", root / "stacks"):
        found = Project.find(start)
        assert (found.root, found.name) == (root, "shop")
    assert (found.main, found.program, found.stacks) == (root / "infra", root / "infra", root / "stacks")


def test_project_of_the_nearest_folder_is_found(root: Path) -> None:
    write(root, {"infra/Pulumi.yaml": "name: inner\nruntime: python\n"})
    assert Project.find(root / "infra").name == "inner"


def test_no_project_is_an_error_with_the_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        Project.find(tmp_path)
    assert caught.value.message == f"Pulumi.yaml not found in {tmp_path} or above it"
    with pytest.raises(InputError, match=r"Pulumi\.yaml cannot be read: No such file"):
        Project.at(tmp_path)


def test_json_file_is_the_project_file_if_there_are_several(root: Path) -> None:
    write(root, {"Pulumi.json": '{"name": "other", "main": "infra"}', "Pulumi.yml": "name: third\n"})
    assert Project.find(root).name == "other"


@pytest.mark.parametrize("name", ["Pulumi.yaml", "Pulumi.yml", "Pulumi.json"])
def test_project_file_has_one_of_three_names_and_stack_files_end_like_it(tmp_path: Path, name: str) -> None:
    suffix = Path(name).suffix
    write(
        tmp_path,
        {
            name: '{"name": "shop", "runtime": "python"}',
            "__main__.py": "",
            f"Pulumi.dev{suffix}": '{"config": {"a": "1"}}',
            "Pulumi.other.txt": "",
        },
    )
    project = Project.at(tmp_path)
    assert project.stack_names() == ["dev"]
    assert project.stack("dev").config == {"shop:a": "1"}


def test_main_may_be_a_python_file(root: Path) -> None:
    write(root, {"Pulumi.yaml": "name: shop\nmain: infra/other.py\n", "infra/other.py": ""})
    project = Project.at(root)
    assert (project.program, project.main) == (root / "infra" / "other.py", root / "infra")


def test_folder_of_stack_files_may_be_given_under_config(root: Path) -> None:
    write(root, {"Pulumi.yaml": "name: shop\nmain: infra\nconfig: stacks\n"})
    project = Project.at(root)
    assert (project.stacks, project.config) == (root / "stacks", {})


def test_folder_of_stack_files_may_be_absent(root: Path) -> None:
    write(root, {"Pulumi.yaml": "name: shop\nmain: infra\nstackConfigDir: absent\n"})
    project = Project.at(root)
    assert project.stack_names() == []
    assert project.stack("dev").config == {}


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("main: infra\n", ["name: must be the project's name"]),
        ("name: 3\nmain: infra\n", ["name: must be the project's name"]),
        ("name: ''\nmain: infra\n", ["name: must be the project's name"]),
        (
            "name: a\nmain: stacks\n",
            ["main: must be the folder of the program; 'stacks' holds no __main__.py"],
        ),
        (
            "name: a\nmain: nowhere\n",
            ["main: must be a folder with __main__.py, or a Python file; 'nowhere' is neither"],
        ),
        (
            "name: a\nmain: infra\nstackConfigDir: Pulumi.yaml\n",
            ["stackConfigDir: must be the folder of the stack files; 'Pulumi.yaml' is not one"],
        ),
        (
            "name: a\nmain: infra\nstackConfigDir: [stacks]\n",
            ["stackConfigDir: must be the folder of the stack files; ['stacks'] is not one"],
        ),
        ("name: a\nmain: infra\nconfig: [b]\n", ["config: must be a mapping, not a list"]),
        (
            "name: a b\nmain: infra\n",
            ["name: may only have letters, digits, hyphens, underscores and periods"],
        ),
        (f"name: {'a' * 101}\nmain: infra\n", ["name: may have at most 100 characters, not 101"]),
        ("name: a\nmain: infra\nauthor: [b]\n", ["author: must be text, not a list"]),
        ("name: a\nmain: infra\nruntime: nodejs\n", ["runtime: kingdom runs Python programs, not 'nodejs'"]),
        ("name: a\nmain: infra\nruntime: {name: go}\n", ["runtime: kingdom runs Python programs, not 'go'"]),
        (
            "name: a\nmain: infra\nruntime: {name: python, options: {typechecker: pytype}}\n",
            ["runtime.options.typechecker: must be one of mypy, pyright, not 'pytype'"],
        ),
        (
            "name: a\nmain: infra\nruntime: {name: python, options: {toolchain: conda, virtualenv: [a]}}\n",
            [
                "runtime.options.virtualenv: must be text, not a list",
                "runtime.options.toolchain: must be one of pip, poetry, uv, not 'conda'",
            ],
        ),
        (
            "name: a\nmain: infra\nruntime: {name: python, options: [venv]}\n",
            ["runtime.options: must be a mapping, not a list"],
        ),
        (
            "name: a\nmain: infra\nplugins: {providers: [{name: gcp, path: ../none}, {path: infra}, b]}\n",
            [
                "plugins.providers[0].path: must be a folder, relative to the project; '../none' is not one",
                "plugins.providers[1].name: must be the plugin's name",
                "plugins.providers[2]: must be a mapping with name and path, not a text",
            ],
        ),
        (
            "name: a\nmain: infra\nplugins: {languages: {name: python}, analyzers: [{name: a, path: 1}]}\n",
            [
                "plugins.languages: must be a list, not a mapping",
                "plugins.analyzers[0].path: must be a folder, relative to the project; 1 is not one",
            ],
        ),
        ("name: a\nmain: infra\nplugins: [gcp]\n", ["plugins: must be a mapping, not a list"]),
        (
            "name: a\nmain: infra\nconfig: stacks\nstackConfigDir: stacks\n",
            ["config: it names a folder, and so does stackConfigDir; keep the latter"],
        ),
    ],
)
def test_unusable_project_file_is_an_error_that_names_the_key(
    root: Path, text: str, problems: list[str]
) -> None:
    write(root, {"Pulumi.yaml": text})
    with pytest.raises(InputError) as caught:
        Project.at(root)
    assert caught.value.message == f"{root / 'Pulumi.yaml'} cannot be used:"
    assert list(caught.value.details) == problems


@pytest.mark.parametrize(
    ("options", "refresh"), [("", False), ("options: {}\n", False), ("options: {refresh: always}\n", True)]
)
def test_project_decides_whether_operations_refresh_first(root: Path, options: str, refresh: bool) -> None:
    (root / "Pulumi.yaml").write_text(PROJECT + options)
    assert Project.at(root).refresh is refresh


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("options: {refresh: never}", "options.refresh: must be `always` or absent, not 'never'"),
        ("options: {parallel: 4}", "options.parallel: unknown; the key is refresh"),
        ("options: [refresh]", "options: must be a mapping, not a list"),
    ],
)
def test_other_options_of_a_project_are_refused_by_name(root: Path, options: str, message: str) -> None:
    (root / "Pulumi.yaml").write_text(f"{PROJECT}{options}\n")
    with pytest.raises(InputError) as caught:
        Project.at(root)
    assert caught.value.details == (message,)


def test_type_checker_is_that_of_the_project_file(root: Path) -> None:
    assert Project.at(root).typechecker == ""
    (root / "Pulumi.yaml").write_text(
        PROJECT.replace("runtime: python", "runtime: {name: python, options: {typechecker: mypy}}")
    )
    assert Project.at(root).typechecker == "mypy"


def test_missing_virtual_environment_is_a_warning(root: Path) -> None:
    (root / "Pulumi.yaml").write_text(
        PROJECT.replace("runtime: python", "runtime: {name: python, options: {virtualenv: venv}}")
    )
    assert f"{root / 'venv'} is not a virtual environment" in Project.at(root).missing_virtualenv()
    write(root, {"venv/bin/python": ""})
    assert Project.at(root).missing_virtualenv() == ""


def test_environments_are_refused_by_name(root: Path) -> None:
    stack_text(root, "environment: [shared]\nconfig: {}\n")
    with pytest.raises(InputError) as caught:
        Project.at(root).stack("dev")
    assert "environments of Pulumi ESC need Pulumi Cloud" in caught.value.details[0]


def test_every_problem_of_a_project_file_is_listed(root: Path) -> None:
    write(root, {"Pulumi.yaml": "config: 3\nmain: nowhere\nstackConfigDir: Pulumi.yaml\n"})
    with pytest.raises(InputError) as caught:
        Project.at(root)
    assert [detail.partition(":")[0] for detail in caught.value.details] == [
        "name",
        "config",
        "main",
        "stackConfigDir",
    ]


# -- stacks -----------------------------------------------------------------------------------------------


def test_stacks_are_in_the_order_of_a_change_and_others_by_name_after_them(root: Path) -> None:
    for name in ("prod", "qa", "staging", "local", "b"):
        write(root, {f"stacks/Pulumi.{name}.yaml": ""})
    (root / "stacks" / "Pulumi.folder.yaml").mkdir()
    assert Project.at(root).stack_names() == ["local", "dev", "staging", "prod", "b", "qa"]


def test_stack_has_its_configuration_and_the_machine(root: Path) -> None:
    stack_text(root, "config:\n  size: 3\n  gcp:project: a\n  rehearsal:machine: {edgePort: 8443}\n")
    stack = Project.at(root).stack("dev")
    assert (stack.name, stack.path) == ("dev", root / "stacks" / "Pulumi.dev.yaml")
    assert stack.machine == {"edgePort": 8443}
    assert stack.config == {
        "shop:size": "3",
        "gcp:project": "a",
        "rehearsal:machine": '{"edgePort":8443}',
    }


def test_references_are_not_given_to_the_program(root: Path) -> None:
    stack_text(root, "config:\n  rehearsal:stackReferences: {other/prod: {url: a}}\n")
    stack = Project.at(root).stack("dev")
    assert (stack.references, stack.config) == ({"other/prod": {"url": "a"}}, {})


def test_unknown_stack_is_an_error_that_lists_the_stacks(root: Path) -> None:
    write(root, {"stacks/Pulumi.prod.yaml": ""})
    with pytest.raises(InputError) as caught:
        Project.at(root).stack("pord")
    assert caught.value.message == "unknown stack 'pord': stacks/Pulumi.pord.yaml does not exist"
    assert caught.value.remedy == "Existing stacks: dev, prod."


def test_stack_without_a_file_is_known_by_its_state_or_where_no_stack_has_a_file(root: Path) -> None:
    project = Project.at(root)
    project.state_folder("old").mkdir(parents=True)
    assert project.stack("old").config == {}
    (root / "stacks" / "Pulumi.dev.yaml").unlink()
    assert project.stack("any").config == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config: [a]\n", "config must be a mapping, not a list"),
        ("config: []\n", "config must be a mapping, not a list"),
        ("config: {rehearsal:machine: on}\n", "config.rehearsal:machine must be a mapping, not 'on'"),
        ("- a\n", "must hold a mapping, not a list"),
    ],
)
def test_stack_file_of_another_form_is_an_error(root: Path, text: str, message: str) -> None:
    stack_text(root, text)
    with pytest.raises(InputError) as caught:
        Project.at(root).stack("dev")
    assert caught.value.message.startswith(str(root / "stacks" / "Pulumi.dev.yaml"))
    assert caught.value.message.endswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("encryptionsalt: nonsense\n", "encryptionsalt: must have the form v1:<salt>:<encrypted text>"),
        ("encryptionsalt: v2:AAAA:v1:AAAA:AAAA\n", "encryptionsalt: must have the form v1:"),
        ("encryptionsalt: v1:?:v1:AAAA:AAAA\n", "encryptionsalt: must have the form v1:"),
        ("encryptionsalt: 3\n", "encryptionsalt: must have the form v1:"),
        ("encryptionsalt: {a: 1}\n", "encryptionsalt: must be text, not a mapping"),
        ("encryptedkey: {a: 1}\n", "encryptedkey: must be text, not a mapping"),
        ("secretsprovider: [a]\n", "secretsprovider: must be text, not a list"),
        (
            "secretsprovider: nonsense\n",
            "secretsprovider: must be passphrase, default or a URL with awskms://",
        ),
        ("secretsprovider: gcpkms\n", "secretsprovider: must be passphrase, default or a URL with awskms://"),
        ("secretsprovider: 3\n", "secretsprovider: must be passphrase, default or a URL with awskms://"),
    ],
)
def test_description_of_the_encryption_is_checked(root: Path, text: str, message: str) -> None:
    stack_text(root, text)
    with pytest.raises(InputError) as caught:
        Project.at(root).stack("dev")
    assert [detail for detail in caught.value.details if detail.startswith(message)]


@pytest.mark.parametrize("salt", ["", "''", "null"])
@pytest.mark.parametrize("provider", ["", "default", "passphrase", "gcpkms://projects/p/keyRings/k"])
def test_stack_file_without_a_salt_is_valid(
    root: Path, salt: str, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "any")
    stack_text(root, f"secretsprovider: {provider}\nencryptionsalt: {salt}\nconfig: {{size: 3}}\n")
    assert Project.at(root).stack("dev").config["shop:size"] == "3"


def test_every_problem_of_a_stack_file_is_listed(root: Path) -> None:
    stack_text(root, "config: {a:b:c: 1, rehearsal:machin: {}, rehearsal:edge: 1}\n")
    with pytest.raises(InputError) as caught:
        Project.at(root).stack("dev")
    assert list(caught.value.details) == [
        "config.a:b:c: a key has the form namespace:name",
        "config.rehearsal:machin: unknown; the keys are machine and stackReferences",
        "config.rehearsal:edge: unknown; the keys are machine and stackReferences",
    ]


def test_declared_configuration_without_a_value_is_an_error_of_the_stack(root: Path) -> None:
    write(root, {"Pulumi.yaml": PROJECT + "config: {size: {type: integer}, name: {default: web}}\n"})
    with pytest.raises(InputError, match=r"Pulumi\.yaml declares size without a default"):
        Project.at(root).stack("dev")
    stack_text(root, "config: {size: 3}\n")
    assert Project.at(root).stack("dev").config == {"shop:size": "3", "shop:name": "web"}


# -- configuration of the policy pack ---------------------------------------------------------------------


def test_default_of_a_secret_key_is_not_accepted_in_place_of_an_encrypted_value(root: Path) -> None:
    text = (root / "Pulumi.yaml").read_text()
    (root / "Pulumi.yaml").write_text(f"{text}config:\n  pw: {{type: string, secret: true, default: x}}\n")
    with pytest.raises(InputError) as raised:
        Project.at(root).stack("dev")
    assert any("config.pw: it must be encrypted" in text for text in raised.value.details)


def test_policy_configuration_is_replaced_whole_or_left_as_it_is() -> None:
    config = {"policies:config": "a", "policies:ceiling": "1", "policiesX:a": "2", "shop:a": "3"}
    assert policy_config(config) == {"policies:config": "a", "policies:ceiling": "1"}
    assert with_policy_config(config, None) == config
    assert with_policy_config(config, {}) == {"policiesX:a": "2", "shop:a": "3"}
    assert with_policy_config(config, {"policies:ceiling": "5", "shop:a": "9"}) == {
        "policiesX:a": "2",
        "shop:a": "3",
        "policies:ceiling": "5",
    }
