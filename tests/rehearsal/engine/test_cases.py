"""Programs on which this engine once differed from the Pulumi CLI, with the behavior of the CLI."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rehearsal.engine.events import Op, Severity
from rehearsal.engine.program.runner import ProgramError
from rehearsal.errors import KingdomError
from rehearsal.pulumi.properties import UNKNOWN, Asset, Secret
from tests.rehearsal.engine.program_folders import Case, errors, messages, ops

Open = Callable[[str], Case]


@pytest.fixture
def case(tmp_path: Path) -> Open:
    return lambda name: Case.copy(name, tmp_path)


def test_ignored_secret_stays_encrypted(case: Open) -> None:
    program = case("ignore-changes-drops-secret")
    program.at(0).up()
    program.at(1).up()
    assert program.record("s2").inputs["labels"]["a"] == Secret("hunter0")
    assert "hunter" not in program.state.read_text()


def test_value_that_becomes_secret_is_secret_in_outputs(case: Open) -> None:
    program = case("turned-into-a-secret")
    program.at(0).up()
    result = program.at(1).up()
    assert ops(result) == {"x": Op.UPDATE}
    assert isinstance(program.record("c").outputs["labels"], Secret)
    assert program.record("x").inputs == {"s": Secret("v0")}


def test_no_policy_pack_is_required(case: Open) -> None:
    program = case("policy-pack-required")
    ran = subprocess.run(
        [str(Path(sys.executable).with_name("kingdom")), "preview", "--stack", "dev"],
        cwd=program.root,
        env={**os.environ, "PULUMI_CONFIG_PASSPHRASE": "of no consequence"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    assert "to create" in ran.stdout


def test_changed_file_of_an_asset_is_a_change(case: Open) -> None:
    program = case("asset-content-change-unseen")
    program.up()
    asset = program.record("file").inputs["source"]
    # The SHA-256 of "one\n", and of the tar stream that the engine makes of the folder.
    assert isinstance(asset, Asset)
    assert asset.hash == "2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806"
    (program.root / "sub" / "a.txt").write_text("two\n")
    assert ops(program.preview()) == {"file": Op.REPLACE, "folder": Op.REPLACE}
    (program.root / "sub" / "a.txt").unlink()
    result = program.preview()
    assert not result.ok
    assert "source: cannot read" in messages(result)[0]


def test_refresh_records_of_an_archive_its_hash_only(case: Open) -> None:
    program = case("asset-content-change-unseen")
    program.up()
    file, folder = (program.record(name).inputs["source"].fields for name in ("file", "folder"))
    program.refresh()
    assert program.record("file").inputs["source"].fields == file
    assert program.record("folder").inputs["source"].fields == {"hash": folder["hash"], "assets": {}}
    assert ops(program.preview()) == {}


def test_members_of_archives_and_assets_in_outputs_have_hashes(case: Open) -> None:
    program = case("asset-content-change-unseen")
    (program.root / "__main__.py").write_text(_NESTED_ARCHIVE)
    program.up()
    # The hashes that the CLI computes; those of the assets are the SHA-256 of "fx" and "1".
    text = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
    file = "6956e1dffd6851cfa0b5461772d12f1dd7d22676f5eee2aad3ae7c0b630d5c80"
    nested = "5d90eb97eb12e0c6001bf60c5e0137ca9752a2693dfac0169e6e4b632678bb2e"
    members = program.raw("archive")["inputs"]["source"]["assets"]
    assert (members["a"]["hash"], members["n"]["hash"], members["n"]["assets"]["f"]["hash"]) == (
        text,
        nested,
        file,
    )
    outputs = program.raw("t-dev")["outputs"]
    assert (outputs["asset"]["hash"], outputs["archive"]["assets"]["f"]["hash"]) == (text, file)


_NESTED_ARCHIVE = """\
import pathlib, pulumi
from pulumi import AssetArchive, FileAsset, StringAsset
pathlib.Path("f.txt").write_text("fx")
nested = AssetArchive({"f": FileAsset("f.txt")})
source = AssetArchive({"a": StringAsset("1"), "n": nested})
pulumi.CustomResource("gcp:storage/bucketObject:BucketObject", "archive", {"bucket": "b", "source": source})
pulumi.export("asset", StringAsset("1"))
pulumi.export("archive", nested)
"""


def test_output_asset_without_a_file_is_an_error(case: Open) -> None:
    program = case("asset-content-change-unseen")
    (program.root / "__main__.py").write_text(
        'import pulumi\npulumi.export("asset", pulumi.FileAsset("absent.txt"))\n'
    )
    result = program.update()
    assert not result.ok
    assert "asset: cannot read" in messages(result)[0]


def test_resource_as_component_input(case: Open) -> None:
    result = case("resource-as-component-input").up()
    assert ops(result) == {"pet": Op.CREATE, "box": Op.CREATE}


def test_ignored_changes_of_added_elements_are_not_ignored(case: Open) -> None:
    program = case("ignore-changes-new-list-items")
    program.at(0).up()
    program.at(1).up()
    assert program.record("b").inputs["cors"][1]["maxAgeSeconds"] == 3600
    assert len(program.record("c").inputs["lifecycleRules"]) == 2


def test_paths_that_cannot_be_followed_ignore_nothing(case: Open) -> None:
    program = case("ignore-changes-new-list-items")
    paths = ["labels[0]", "labels[-1]", "", ".labels", "labels["]
    (program.root / "__main__.py").write_text(
        "import pulumi\nfrom toys import *\n"
        f'Bucket("b", RO(ignore_changes={paths}), labels={{"x": str(STEP)}})\n'
        'Bucket("c", RO(ignore_changes=["labels..x"]), labels={"x": str(STEP)})\n'
    )
    program.at(0).up()
    assert ops(program.at(1).up()) == {"b": Op.UPDATE}


def test_replacement_takes_the_declared_value_of_an_ignored_property(case: Open) -> None:
    program = case("ignore-changes-on-replacement")
    program.at(0).up()
    assert ops(program.at(1).up()) == {"b": Op.REPLACE}
    assert program.record("b").inputs["labels"]["a"] == "v1"


def test_component_ignores_changes(case: Open) -> None:
    program = case("component-ignore-changes")
    program.at(0).up()
    assert "y" not in ops(program.at(1).up())
    assert program.record("y").inputs == {"a": 1}


def test_children_inherit_options_of_their_component(case: Open) -> None:
    program = case("component-options-inherited")
    program.at(0).up()
    assert program.record("kept").retain_on_delete
    assert program.record("with-host").deleted_with == program.record("host").urn
    result = program.at(1).up()
    assert {step.name: step.retained for step in result.steps if step.op is Op.DELETE}["kept"]


def test_protection_can_go_with_the_replacement(case: Open) -> None:
    program = case("replace-and-unprotect-at-once")
    program.at(0).up()
    assert ops(program.at(1).up()) == {"p": Op.REPLACE}


def test_logged_error_is_not_a_failure(case: Open) -> None:
    result = case("program-logs-an-error").up()
    assert [(item.severity, item.message) for item in result.diagnostics] == [(Severity.ERROR, "only logged")]
    assert not errors(result)


def test_helm_release_has_a_status(case: Open) -> None:
    assert case("helm-release-status").up().outputs["ns"] == "default"


def test_import_of_what_only_its_id_is_known(case: Open) -> None:
    program = case("import-with-kingdom-cloud")
    program.at(0).up()
    record = program.record("imp")
    assert (record.id, record.inputs["labels"], "__imported" in record.inputs) == (
        "someone-bucket",
        {"a": "1"},
        False,
    )
    program.at(1).up()
    assert ops(program.at(2).up()) == {"imp": Op.UPDATE}
    assert program.record("imp").id == "someone-bucket"


def test_disabled_default_provider_is_refused(case: Open) -> None:
    result = case("disable-default-providers").update()
    assert "default provider for 'gcp' is disabled" in messages(result)[0]
    result = case("disable-default-providers").preview()
    assert errors(result)[0].urn.endswith("::b")


def test_plugin_download_url_gets_a_provider_of_its_own(case: Open) -> None:
    program = case("plugin-download-url")
    program.at(0).up()
    program.at(1).up()
    name = "default_10_2_0_https_/example.com/p"
    assert program.record("pl").provider.startswith(f"{program.record(name).urn}::")
    assert program.record(name).inputs["__internal"] == {"pluginDownloadURL": "https://example.com/p"}


def test_read_records_no_inputs_of_the_cloud(case: Open) -> None:
    program = case("read-records-inputs")
    program.up()
    assert program.record("svc").inputs == {}
    assert program.record("svc").outputs["metadata"]["name"] == "kube-dns"
    assert program.record("svc").outputs["spec"]["clusterIP"].startswith("10.")


def test_existing_object_that_is_read_has_a_spec(case: Open) -> None:
    program = case("read-records-inputs")
    (program.root / "__main__.py").write_text(
        "import pulumi, pulumi_kubernetes as k8s\n"
        'found = k8s.apps.v1.Deployment.get("d", "default/web")\n'
        'pulumi.export("replicas", found.spec.replicas)\n'
    )
    program.up()
    assert program.record("d").outputs["spec"] == {}


def test_hidden_diffs_are_recorded(case: Open) -> None:
    program = case("hide-diffs")
    program.up()
    assert program.raw("b")["hideDiff"] == ["labels"]


def test_paths_of_hidden_diffs_are_quoted_as_the_cli_does(case: Open) -> None:
    program = case("hide-diffs")
    text = (program.root / "__main__.py").read_text()
    (program.root / "__main__.py").write_text(text.replace('"labels"]', '"cors[*]", "a[0].b-c", "labels.a"]'))
    program.up()
    assert program.raw("b")["hideDiff"] == ['cors["*"]', 'a[0]["b-c"]', "labels.a"]


def test_virtual_environment_inside_the_program_folder(case: Open) -> None:
    program = case("venv-inside-program-folder")
    (program.root / ".venv").symlink_to(sys.prefix)
    # As with a virtual environment in that folder: modules of its packages are files below the program.
    packages = program.root / ".venv" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    script = (
        "import runpy, sys; sys.path = [p for p in sys.path if 'site-packages' not in p];"
        f"sys.path.insert(0, {str(packages / 'site-packages')!r}); sys.path.insert(0, {str(Path.cwd())!r});"
        "sys.argv = ['kingdom', 'preview', '--stack', 'dev'];"
        "from rehearsal.cli.__main__ import run; run()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=program.root,
        env={**os.environ, "PULUMI_CONFIG_PASSPHRASE": "of no consequence"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, (ran.returncode, ran.stderr)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("statement", "status"),
    [("os._exit(3)", "3"), ("threading.Thread(target=os._exit, args=(4,)).start()", "4")],
)
def test_program_that_ends_the_process_is_reported(case: Open, statement: str, status: str) -> None:
    program = case("policy-pack-required")
    (program.root / "__main__.py").write_text(f"import os, threading, time\n{statement}\ntime.sleep(0.2)\n")
    with pytest.raises(ProgramError, match=rf"os\._exit\({status}\)"):
        program.preview()


# -- project forms ----------------------------------------------------------------------------------------


def test_stack_file_is_read_as_yaml_1_2(case: Open) -> None:
    found = case("stack-file-yaml-1.1").up().outputs["all"]
    assert found["t:yes"] == "yes"
    assert (found["t:on"], found["t:off"], found["t:sexa"]) == ("on", "off", "12:30:45")
    assert found["t:date"] == "2024-01-02 00:00:00 +0000 UTC"
    assert found["t:dt"] == "2024-01-02 03:04:05 +0000 UTC"
    assert (found["t:exp"], found["t:exp2"], found["t:float"], found["t:oct2"]) == ("1000", "1500", "1", "15")
    assert found["t:lst"] == '[1,1,"yes","2024-01-02 00:00:00 +0000 UTC",null,"x",1000]'
    assert found["t:map"] == '{"a":{"c":0.1,"d":"no"},"b":1}'
    assert found["t:mapuni"] == r'{"é\u003c\u003e\u0026":"\u003cb\u003e\u0026"}'


def test_configuration_in_the_project_file(case: Open) -> None:
    found = case("config-in-pulumi-yaml").up().outputs["all"]
    assert found == {
        "gcp:project": "ours",
        "gcp:region": "europe-west1",
        "t:full": "here",
        "t:listy": '["a","b"]',
        "t:number": "7",
        "t:plain": "text",
        "t:step": "0",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [("config-key-three-parts", "old style"), ("config-key-without-namespace", "no namespace")],
)
def test_configuration_keys_of_other_forms(case: Open, name: str, value: str) -> None:
    assert case(name).up().outputs["a"] == value


def test_main_may_be_a_file(case: Open) -> None:
    assert case("main-is-a-file").up().outputs["x"] == 1


def test_program_that_is_a_file_is_in_no_package(case: Open) -> None:
    program = case("main-is-a-file")
    with (program.root / "program.py").open("a") as file:
        file.write("\npulumi.export('package', repr(__package__))\n")
    assert program.up().outputs["package"] == "''"


def test_project_file_may_end_in_yml(case: Open) -> None:
    program = case("main-is-a-file")
    for name in ("Pulumi", "Pulumi.dev"):
        (program.root / f"{name}.yaml").rename(program.root / f"{name}.yml")
    assert program.up().outputs["x"] == 1


def test_stack_needs_no_file(case: Open) -> None:
    program = case("main-is-a-file")
    (program.root / "Pulumi.dev.yaml").unlink()
    assert program.up().outputs["x"] == 1


def test_encrypted_configuration_is_decrypted(case: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
    program = case("encrypted-config")
    for passphrase in ("", "test", "p", "passphrase", "of no consequence", "secret"):
        monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", passphrase)
        try:
            found = program.session
        except KingdomError:
            continue
        assert found.stack.secrets == {"t:pw"}
        break


def test_encrypted_configuration_without_passphrase_is_unknown(
    case: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE_FILE", raising=False)
    program = case("encrypted-config")
    result = program.preview()
    assert result.ok
    assert result.outputs["p"] == Secret(UNKNOWN)
    assert any("config t:pw is encrypted" in text for text in messages(result))
    with pytest.raises(KingdomError, match="cannot be decrypted"):
        program.update()


# -- features of the protocol -----------------------------------------------------------------------------


def test_transforms_change_the_inputs(case: Open) -> None:
    program = case("transforms")
    program.up()
    assert [program.record(name).inputs["length"] for name in "pc"] == [4, 4]


def test_hook_of_a_resource_is_called_and_recorded(case: Open) -> None:
    program = case("hooks")
    result = program.up()
    assert "hook p" in messages(result)
    assert program.raw("p")["resourceHooks"] == {"BeforeCreate": ["h"]}


def test_resource_with_replace_with_is_replaced_along(case: Open) -> None:
    program = case("replace-with")
    program.at(0).up()
    assert ops(program.at(1).up()) == {"p": Op.REPLACE, "b": Op.REPLACE}
    assert program.raw("b")["replaceWith"] == [program.record("p").urn]


def test_secret_replacement_trigger_is_recorded_without_its_value(case: Open) -> None:
    """As the CLI does: it never replaces the resource."""
    program = case("replacement-trigger")
    text = (program.root / "__main__.py").read_text()
    (program.root / "__main__.py").write_text(text.replace("str(STEP)", "Output.secret(str(STEP))"))
    program.at(0).up()
    assert program.record("rt").replacement_trigger == Secret(None)
    assert not ops(program.at(1).up())


def test_replacement_trigger_with_a_secret_inside_replaces_in_every_update(case: Open) -> None:
    """As the CLI does, which reads the recorded secret without its value."""
    program = case("replacement-trigger")
    text = (program.root / "__main__.py").read_text()
    (program.root / "__main__.py").write_text(text.replace("str(STEP)", "[Output.secret('word'), 1]"))
    program.at(0).up()
    assert program.record("rt").replacement_trigger == [Secret(None), 1]
    assert ops(program.at(1).up()) == {"rt": Op.REPLACE}


def test_changed_replacement_trigger_replaces(case: Open) -> None:
    program = case("replacement-trigger")
    program.at(0).up()
    assert program.raw("rt")["replacementTrigger"] == "0"
    assert ops(program.at(1).up()) == {"rt": Op.REPLACE}


def test_stack_reference_takes_values_from_the_stack_file(case: Open) -> None:
    program = case("stack-reference")
    preview = program.preview()
    assert preview.ok
    assert preview.outputs["o"] is UNKNOWN
    assert "unknown stack 'organization/other/dev'" in str(messages(program.update()))
    path = program.root / "Pulumi.dev.yaml"
    given = '  rehearsal:stackReferences: {"organization/other/dev": {x: 5, y: {secret: s}}}\n'
    path.write_text(path.read_text() + given)
    assert program.up().outputs["o"] == 5


def test_stack_reference_reads_a_stack_rehearsed_before(case: Open) -> None:
    program = case("stack-reference")
    (program.root / "Pulumi.base.yaml").write_text("config: {t:step: 0}\n")
    main = program.root / "__main__.py"
    text = main.read_text().replace("organization/other/dev", "organization/t/base")
    main.write_text("import pulumi\npulumi.export('x', pulumi.Output.secret(7))\n")
    from rehearsal.engine.events import Silent
    from rehearsal.pulumi.project import Project
    from rehearsal.session import Session

    assert Session(Project.at(program.root), "base", policies=None).apply(Silent()).ok
    main.write_text(text)
    assert program.up().outputs["o"] == Secret(7)


def test_refresh_records_an_output_of_another_stack_that_is_secret_no_more(case: Open) -> None:
    program = case("stack-reference")
    (program.root / "__main__.py").write_text(
        "import pulumi\npulumi.CustomResource('pulumi:pulumi:StackReference', 'r', {'name': 'x/other/dev'})\n"
    )
    file = program.root / "Pulumi.dev.yaml"
    text = file.read_text()
    for value, recorded in (("{secret: s}", Secret("s")), ("s", "s")):
        file.write_text(f"{text}  rehearsal:stackReferences: {{x/other/dev: {{y: {value}}}}}\n")
        program.up()
        assert program.refresh().ok
        assert program.record("r").outputs["outputs"] == {"y": recorded}


def test_function_without_a_model_has_a_result_of_its_declared_type(case: Open) -> None:
    program = case("invoke-unsupported")
    preview = program.preview()
    assert preview.ok
    assert preview.outputs["v"] is UNKNOWN
    assert any("has no model" in text for text in messages(preview))
    first, second = program.up().outputs["v"], program.up().outputs["v"]
    assert isinstance(first, str)
    assert first.startswith("https://")
    assert first == second


def test_arguments_of_a_function_without_a_model_are_checked(case: Open) -> None:
    program = case("invoke-unsupported")
    main = program.root / "__main__.py"
    main.write_text(main.read_text().replace('"family"', '"famliy"'))
    with pytest.raises(KingdomError, match="unknown argument"):
        program.preview()
