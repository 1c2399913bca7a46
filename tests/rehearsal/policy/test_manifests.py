"""Manifests read from files, folders and standard input: objects, problems, lines and comments."""

from __future__ import annotations

import io
import itertools
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from rehearsal.errors import InputError
from rehearsal.policy.manifests import Manifest, read
from tests.support.manifests import LIST, POD


def only(file: Path, text: str) -> Manifest:
    """The one object of a file with `text`."""
    file.write_text(text)
    (manifest,) = read([str(file)]).manifests
    return manifest


# -- objects ----------------------------------------------------------------------------------------------


def test_object_has_group_version_kind_name_namespace_and_file(tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    web = only(file, LIST)
    assert (web.file, web.kind, web.name, web.namespace) == (str(file), "Deployment", "web", "shop")
    assert (web.resource.type, web.resource.source) == ("kubernetes:apps/v1:Deployment", str(file))
    pod = only(file, POD.replace("name: fine", "generateName: fine-"))
    assert (pod.resource.type, pod.name, pod.namespace) == ("kubernetes:core/v1:Pod", "fine-", "")


def test_equal_objects_have_different_urns(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{POD}---\n{POD}")
    (tmp_path / "b.yaml").write_text(POD)
    (tmp_path / "c.json").write_text(
        '[{"apiVersion": "v1", "kind": "List", "items": ['.removeprefix("[")
        + ", ".join(['{"apiVersion": "v1", "kind": "Pod"}'] * 2)
        + "]}"
    )
    urns = [manifest.resource.urn for manifest in read([str(tmp_path)]).manifests]
    assert len(urns) == len(set(urns)) == 5


def test_items_take_version_and_kind_of_a_typed_list(tmp_path: Path) -> None:
    file = tmp_path / "list.yaml"
    file.write_text(
        "apiVersion: apps/v1\nkind: DeploymentList\nitems:\n"
        "- metadata: {name: a}\n- {apiVersion: v1, kind: Pod, metadata: {name: b}}\n"
    )
    assert [item.resource.type for item in read([str(file)]).manifests] == [
        "kubernetes:apps/v1:Deployment",
        "kubernetes:core/v1:Pod",
    ]


def test_items_of_a_general_list_have_a_kind_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "list.yaml"
    file.write_text("apiVersion: v1\nkind: List\nitems:\n- metadata: {name: a}\n" + f"---\n{POD}")
    reading = read([str(file)])
    assert [item.name for item in reading.manifests] == ["fine"]
    assert reading.problems == [f"{file}:4: no Kubernetes object (apiVersion and kind)"]


def test_empty_documents_null_items_and_lists_in_lists_are_read_through(tmp_path: Path) -> None:
    inner = "\n".join(f"  {line}" for line in LIST.splitlines())
    file = tmp_path / "odd.yaml"
    file.write_text(
        f"# only a comment\n---\n---\nnull\n---\napiVersion: v1\nkind: List\nitems:\n- null\n-{inner[1:]}\n"
        "---\napiVersion: example.com/v1\nkind: Widget\nmetadata: null\nspec: null\n---\n# the end\n"
    )
    web, widget = read([str(file)]).manifests
    assert (web.kind, web.name) == ("Deployment", "web")
    assert web.line(("spec", "template", "spec", "hostNetwork")) == 19
    assert (widget.kind, widget.name, widget.namespace) == ("Widget", "", "")


@pytest.mark.parametrize("kind", ["[Pod]", "3", "", "{a: b}", "true"])
def test_a_kind_is_text(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(f"apiVersion: v1\nkind: {kind}\nspec: {{hostPID: true}}\n")
    with pytest.raises(InputError, match="no Kubernetes object"):
        read([str(file)])


def test_keys_and_values_are_read_as_kubectl_sends_them(tmp_path: Path) -> None:
    manifest = only(
        tmp_path / "map.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, labels: {8080: a}}\n"
        "data: {1: a, true: b, when: 2026-01-01}\n",
    )
    value: Any = manifest.resource.node.raw
    assert value["metadata"]["labels"] == {"8080": "a"}
    assert value["data"] == {"1": "a", "true": "b", "when": "2026-01-01"}


def test_json_is_read_however_it_is_indented_and_escaped(tmp_path: Path) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a😀"}, "spec": {"hostPID": True}}
    found = only(tmp_path / "pod.json", json.dumps(pod, indent="\t"))
    assert (found.name, found.line(("spec", "hostPID"))) == ("a😀", 8)


def test_object_with_a_repeated_key_is_marked(tmp_path: Path) -> None:
    assert not only(tmp_path / "a.yaml", POD).may_repeat_keys
    assert only(tmp_path / "b.yaml", POD + "  hostPID: true\n  hostPID: false\n").may_repeat_keys


# -- lines ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("spec", "containers", 0, "image"), 7),
        (("spec", "containers", 0, "securityContext", "privileged"), 6),  # absent: the container
        (("spec", "containers", 1), 6),  # beyond the end: the list
        (("metadata", "name", "x"), 3),
    ],
)
def test_line_of_a_value_or_of_its_nearest_written_ancestor(
    tmp_path: Path, path: tuple[str | int, ...], line: int
) -> None:
    assert only(tmp_path / "pod.yaml", POD).line(path) == line


def test_lines_on_the_way_to_a_value_are_those_of_keys_and_items(tmp_path: Path) -> None:
    pod = only(tmp_path / "pod.yaml", POD)
    assert pod.lines(("spec", "containers", 0, "image")) == [1, 4, 5, 6, 7]
    assert pod.lines(("spec", "containers", 1, "image")) == [1, 4, 5]
    assert pod.lines(("spec", "hostPID")) == [1, 4]


# -- files and folders ------------------------------------------------------------------------------------


def test_folders_leave_out_documents_that_are_not_kubernetes_objects(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "pod.yaml").write_text(POD)
    (tmp_path / "values.yaml").write_text("replicas: 3\n")
    (tmp_path / "notes.txt").write_text(POD)
    reading = read([str(tmp_path)])
    assert (len(reading.manifests), reading.problems) == (1, [])


def test_objects_are_in_the_order_of_paths_and_files(tmp_path: Path) -> None:
    for name in ("b.yml", "a/z.yaml", "a/y.json"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}}
        file.write_text(json.dumps(pod))
    assert [item.name for item in read([str(tmp_path)]).manifests] == ["a/y.json", "a/z.yaml", "b.yml"]
    paths = [str(tmp_path / "b.yml"), str(tmp_path / "a")]
    assert [item.name for item in read(paths).manifests] == ["b.yml", "a/y.json", "a/z.yaml"]


def test_standard_input_is_utf_8_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(POD.encode()), "ascii"))
    (pod,) = read(["-"]).manifests
    assert (pod.file, pod.name) == ("<stdin>", "fine")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xe9"), "utf-8"))
    with pytest.raises(InputError, match="<stdin>: not text"):
        read(["-"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"])
def test_text_is_utf_8_or_has_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding.startswith("utf-16") else ""
    (tmp_path / "pod.yaml").write_bytes(f"{mark}{POD}".replace("\n", "\r\n").encode(encoding))
    reading = read([str(tmp_path)])
    assert [item.name for item in reading.manifests] == ["fine"]
    assert reading.problems == []


def test_settings_in_json_with_comments_are_left_out_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(POD)
    (tmp_path / "tsconfig.json").write_text('{\n  // comment\n  "strict": true,\n}\n')
    assert read([str(tmp_path)]).problems == []
    (tmp_path / "pod.json").write_text('{\n  // comment\n  "apiVersion": "v1"\n}\n')
    (problem,) = read([str(tmp_path)]).problems
    assert problem.startswith(f"{tmp_path}/pod.json:")


def test_path_without_an_object_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    (tmp_path / "pod.yaml").write_text(POD)
    reading = read([str(tmp_path / "empty.yaml"), str(tmp_path / "pod.yaml")])
    assert reading.problems == [f"{tmp_path}/empty.yaml: contains no Kubernetes object"]


def test_everything_that_cannot_be_read_is_listed_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [b\nc: d")
    (tmp_path / "b.yaml").write_text("replicas: 3\n")
    (tmp_path / "c.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError) as caught:
        read([str(tmp_path / name) for name in ("a.yaml", "b.yaml", "c.yaml", "d.yaml")])
    text = str(caught.value)
    for part in ("a.yaml:2", "b.yaml:1: no Kubernetes object", "c.yaml: not text", "d.yaml: No such file"):
        assert part in text
    assert caught.value.exit_code == 2


def test_an_unreadable_file_does_not_stop_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [b\nc: d")
    (tmp_path / "b.yaml").write_text("apiVersion: v1\nkind: Pod\nspec: {priority: .inf}\n---\n" + POD)
    (tmp_path / "c.yaml").write_text(POD)
    reading = read([str(tmp_path)])
    assert len(reading.manifests) == 2
    assert [line.split(": ")[0] for line in reading.problems] == [
        f"{tmp_path / 'a.yaml'}:2",
        f"{tmp_path / 'b.yaml'}:3",
    ]


def test_objects_before_a_syntax_error_are_read(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(f"{POD}---\na: [b\nc: d\n")
    reading = read([str(file)])
    assert [item.name for item in reading.manifests] == ["fine"]
    (problem,) = reading.problems
    assert re.match(rf"{re.escape(str(file))}:1[01]: ", problem)


def test_a_value_that_does_not_fit_its_tag_is_a_problem_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(POD)
    (tmp_path / "date.yaml").write_text("apiVersion: v1\nkind: Pod\nspec: {at: !!int x}\n")
    (problem,) = read([str(tmp_path)]).problems
    assert problem.startswith(f"{tmp_path}/date.yaml:3: 'x' does not fit")


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pod.yaml").write_text(POD)
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    reading = read([str(tmp_path)])
    assert (len(reading.manifests), reading.problems) == (1, [f"{tmp_path}/closed: Permission denied"])
    assert read([str(tmp_path)], exclude=("closed",)).problems == []


def test_link_to_nothing_is_listed(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(POD)
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nothing.yaml")
    assert read([str(tmp_path)]).problems == [f"{tmp_path}/gone.yaml: No such file or directory"]


@pytest.mark.parametrize(
    "broken",
    ["a: [", "a: 'b", "a: b: c", "{{ if .Values.x }}\na: [", "\tb: c", "a: {b", "x: &a *b", "? [a\n: -"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_documents_around_a_broken_one_are_read(tmp_path: Path, broken: str, end: str) -> None:
    file = tmp_path / "all.yaml"
    text = f"{POD}---\n{broken}\n---\n{POD}---\n{broken}\n---\n# end\n{POD}"
    file.write_text(text.replace("\n", end), newline="")
    reading = read([str(file)])
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line == "apiVersion: v1"]
    assert [item.line(()) for item in reading.manifests] == lines
    first_lines = (8, 8 + 8 + broken.count("\n") + 2)[: 1 if "{{" in broken else 2]  # of a template, once
    for problem, first in zip(reading.problems, first_lines, strict=True):
        found = re.match(rf"{re.escape(str(file))}:(\d+): ", problem)
        assert found
        assert first <= int(found[1]) <= first + 3


def test_a_file_of_broken_documents_ends(tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(f"{POD}" + "---\na: [\n" * 1_000)
    reading = read([str(file)])
    assert len(reading.manifests) == 1
    assert 1 < len(reading.problems) < 100


def test_a_template_is_distinguished_from_a_syntax_error(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: {{ .Values.name }}}\n")
    with pytest.raises(InputError, match="looks like a template: render it first"):
        read([str(file)])
    file.write_text("apiVersion: v1\nkind: [Pod\nmetadata: {name: a}\n")
    with pytest.raises(InputError) as caught:
        read([str(file)])
    assert "looks like" not in str(caught.value)


UNREADABLE = {
    "brackets": "[" * 100_000,
    "dashes": "- " * 60_000,
    "aliases": "a: &a [x, x]\n"
    + "".join(
        f"{new}: &{new} [*{old}, *{old}]\n" for old, new in itertools.pairwise("abcdefghijklmnopqrstuvwxyz")
    ),
    "itself": "metadata: &a {name: a, labels: *a}\n",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_text_that_would_exhaust_the_process_is_refused_at_once(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bomb.yaml"
    file.write_text(text if text.startswith(("[", "-")) else f"apiVersion: v1\nkind: Pod\n{text}")
    with pytest.raises(InputError, match="nested too deeply, or an anchor"):
        read([str(file)])


def test_json_that_holds_no_manifest_is_left_out_of_a_folder_and_reported_by_name(tmp_path: Path) -> None:
    (tmp_path / "dashboard.json").write_text('{"panels": [{"kind": "row"}]}')
    (tmp_path / "broken.json").write_text('{"panels": [')
    (tmp_path / "pod.json").write_text(
        '{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Pod",'
        ' "metadata": {"name": "a"}, "spec": {"hostNetwork": true, "containers": []}}]}'
    )
    reading = read([str(tmp_path)])
    assert [item.name for item in reading.manifests] == ["a"]
    assert [Path(line.split(":")[0]).name for line in reading.problems] == ["broken.json"]
    with pytest.raises(InputError, match=r"dashboard\.json:1: no Kubernetes object"):
        read([str(tmp_path / "dashboard.json")])


@pytest.mark.parametrize("pattern", ["charts", "charts/", "charts/*", "*/bad.yaml", "bad.yaml", "b*"])
def test_excluded_files_are_not_read(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts" / "bad.yaml").write_text("{{")
    (tmp_path / "pod.yaml").write_text(POD)
    reading = read([str(tmp_path)], exclude=(pattern,))
    assert (len(reading.manifests), reading.problems) == (1, [])


@pytest.mark.parametrize("pattern", ["rendered/tests", "./rendered/tests/", "./tests", "rendered/t*"])
def test_excluded_folders_may_be_written_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rendered" / "tests").mkdir(parents=True)
    for folder in ("rendered", "rendered/tests"):
        (tmp_path / folder / "pod.yaml").write_text(POD)
    assert len(read(["rendered"], exclude=(pattern,)).manifests) == 1
    assert len(read(["rendered"], exclude=("rendered",)).manifests) == 2


@pytest.mark.parametrize(
    ("text", "line"), [(f"{POD}# \x07\n", 8), (POD.replace("nginx", "\x00"), 7), ("# é\n\n# \x0c\n", 3)]
)
def test_character_that_yaml_does_not_permit_has_its_line(tmp_path: Path, text: str, line: int) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as error:
        read([str(file)])
    assert error.value.details[0].startswith(f"{file}:{line}: control characters are not allowed")


def test_list_without_items_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"apiVersion: v1\nkind: List\nitems:\n---\n{POD}")
    assert [item.kind for item in read([str(tmp_path)]).manifests] == ["Pod"]


# -- patches ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kustomization", "patch"),
    [
        ("patches: [{path: ./patches/web.yaml}]", True),
        ("patchesStrategicMerge: [patches/web.yaml]", True),
        ("patches: [{patch: 'a: b'}, 3]", False),
        ("patches: {path: patches/web.yaml}", False),
        ("resources: [patches/web.yaml]", False),
    ],
)
def test_file_that_a_kustomization_names_as_a_patch_is_one(
    tmp_path: Path, kustomization: str, patch: bool
) -> None:
    (tmp_path / "patches").mkdir()
    (tmp_path / "patches" / "web.yaml").write_text(POD)
    (tmp_path / "kustomization.yaml").write_text(f"{kustomization}\n")
    reading = read([str(tmp_path)])
    (pod,) = reading.manifests
    assert reading.is_patch(pod) is patch


def test_object_with_a_container_without_an_image_is_a_patch(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(f"{POD}---\n{POD.replace('image: nginx', 'tty: true')}")
    reading = read([str(tmp_path)])
    assert [reading.is_patch(pod) for pod in reading.manifests] == [False, True]


DIRECTIVES = {
    "deleted": "    $patch: delete\n",
    "ordered": "    $setElementOrder/ports: [{port: 1}]\n",
    "retained": "    $retainKeys: [name]\n",
}


@pytest.mark.parametrize("line", DIRECTIVES.values(), ids=DIRECTIVES)
def test_object_with_a_directive_of_a_strategic_merge_patch_is_one(tmp_path: Path, line: str) -> None:
    (tmp_path / "pod.yaml").write_text(f"{POD}---\n{POD.rstrip()}\n{line}---\n{POD}# $patch: delete\n")
    reading = read([str(tmp_path)])
    assert [reading.is_patch(pod) for pod in reading.manifests] == [False, True, False]


# -- tests of other tools ---------------------------------------------------------------------------------

CHAINSAW = """\
apiVersion: chainsaw.kyverno.io/v1alpha1
kind: Test
metadata: {name: a}
spec:
  steps:
  - try:
    - apply: {file: install.yaml}
    - assert: {file: ./ready.yaml}
    - assert: {file: install.yaml}
    - patch: {file: patch.yaml}
    - {wait: {}, sleep: 5}
    - 3
    finally: [{error: {file: absent.yaml}}]
  - 7
"""


def test_assertions_of_tests_are_left_out_of_folders(tmp_path: Path) -> None:
    for name in ("install", "ready", "patch", "absent", "00-assert", "01-errors", "10-assertion"):
        (tmp_path / f"{name}.yaml").write_text(POD + "# kingdom: ignore a -- b\n")
    (tmp_path / "test.yaml").write_text(CHAINSAW)
    reading = read([str(tmp_path)])
    names = {Path(item.file).stem: reading.is_patch(item) for item in reading.manifests}
    assert names == {"10-assertion": False, "install": False, "patch": True, "test": False}
    assert [Path(file).stem for file in reading.left_out] == ["00-assert", "01-errors", "absent", "ready"]
    assert {Path(item.file).stem for item in reading.ignores} == {"10-assertion", "install", "patch"}


def test_assertion_that_is_named_is_read(tmp_path: Path) -> None:
    file = tmp_path / "00-assert.yaml"
    file.write_text(POD)
    reading = read([str(file)])
    assert (len(reading.manifests), reading.left_out) == (1, [])


@pytest.mark.parametrize(
    "spec", ["spec: 3", "spec: {steps: {a: b}}", "spec: {steps: [{try: [{assert: x}]}]}"]
)
def test_test_of_another_shape_has_no_assertions(tmp_path: Path, spec: str) -> None:
    (tmp_path / "a.yaml").write_text(f"apiVersion: chainsaw.kyverno.io/v1alpha2\nkind: Test\n{spec}\n")
    assert (len(read([str(tmp_path)]).manifests), read([str(tmp_path)]).left_out) == (1, [])


# -- ignore comments --------------------------------------------------------------------------------------


def ignored(file: Path, text: str) -> list[tuple[int, int, tuple[str, ...], str]]:
    file.write_text(text)
    return [(one.line, one.target, one.policies, one.reason) for one in read([str(file)]).ignores]


def test_comment_above_a_line_is_about_the_next_line_of_yaml(tmp_path: Path) -> None:
    text = POD.replace("spec:", "# kingdom: ignore a-b, c -- why not\n# more\n\n---x\nspec:", 1)
    text = text.replace("---x\n", "")
    assert ignored(tmp_path / "a.yaml", text) == [(4, 7, ("a-b", "c"), "why not")]


def test_comment_behind_a_value_is_about_its_own_line(tmp_path: Path) -> None:
    text = POD.replace("image: nginx", "image: nginx  # kingdom: ignore image-digest -- a test")
    assert ignored(tmp_path / "a.yaml", text) == [(7, 7, ("image-digest",), "a test")]


@pytest.mark.parametrize(
    ("comment", "policies", "reason"),
    [
        ("# kingdom: ignore a b", ("a", "b"), ""),
        ("#kingdom:ignore a --   spaced  ", ("a",), "spaced"),
        ("# kingdom: ignore -- why", (), "why"),
        ("# kingdom: ignore a--b", ("a--b",), ""),  # the separator has a blank before it
    ],
)
def test_comment_has_policies_and_a_reason(
    tmp_path: Path, comment: str, policies: tuple[str, ...], reason: str
) -> None:
    assert ignored(tmp_path / "a.yaml", f"{comment}\n{POD}") == [(1, 2, policies, reason)]


@pytest.mark.parametrize("comment", ["# kingdom: ignored a -- b", "# kingdom ignore a -- b", "kingdom: x"])
def test_other_comments_are_not_ignore_comments(tmp_path: Path, comment: str) -> None:
    assert ignored(tmp_path / "a.yaml", f"{POD}# {comment}\n") == []


def test_comment_inside_a_block_scalar_is_text(tmp_path: Path) -> None:
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  notes: |\n"
        "    # kingdom: ignore no-secret-values -- not a comment\n    key: 1\n"
        "  more: x  # kingdom: ignore b -- a comment\n"
    )
    assert ignored(tmp_path / "map.yaml", text) == [(8, 8, ("b",), "a comment")]
