"""The comment's sanitizer, run as the workflow runs it: links, mentions and references are removed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.workflows.test_workflows import FOLDER, steps

HARNESS = """
const fs = require('fs');
const [script, folder, event] = process.argv.slice(2);
process.env.RUNNER_TEMP = folder;
const outputs = {};
const posted = [];
const sha = 'a'.repeat(40);
const context = { repo: { owner: 'o', repo: 'r' }, payload: {
  repository: { default_branch: 'main' }, workflow_run: {
  event, head_sha: sha, head_branch: 'b', html_url: 'https://github.com/o/r/actions/runs/1',
  conclusion: 'success', head_repository: { owner: { login: 'someone' } } } } };
const core = { info() {}, setOutput(name, value) { outputs[name] = String(value); } };
const github = {
  paginate: async (method, { base }) =>
    method === 'pulls' && base === 'main' ? [{ number: 7, head: { sha } }] : [],
  rest: { pulls: { list: 'pulls' }, issues: { listComments: 'comments',
    createComment: async (one) => posted.push(one.body), updateComment: async () => {} } } };
const body = fs.readFileSync(script, 'utf8');
const run = new (Object.getPrototypeOf(async function () {}).constructor)(
  'require', 'process', 'context', 'core', 'github', body);
run(require, process, context, core, github).then(() => console.log(JSON.stringify({ posted, outputs })));
"""
HOSTILE = {
    "[text](https://evil.example)": "](",
    "![image](https://evil.example/x.png)": "![",
    "[text][ref]\n\n[ref]: https://evil.example": "]:",
    "> [ref]: https://evil.example": "]:",
    "- [a\nb]: evil.example": "]:",
    "[^1]: a footnote": "]:",
    "www.evil.example": "www.",
    "WWW.evil.example": "WWW.",
    r"www\.evil.example": r"www\.",
    "https://evil.example": "://",
    r"https:\/\/evil.example": r":\/\/",
    "<https://evil.example>": "<https",
    "@someone": "@someone",
    "&#64;someone": "&#64;",
    "&commat;someone": "&commat;",
    "#12 and o/r#12": "#12",
    "GH-12": "GH-12",
    "gh-12": "gh-12",
    r"GH\-12": r"GH\-12",
    "```mermaid\nclick A href\n```": "mermaid",
    "- ~~~ geojson\n  ~~~": "geojson",
    "~~~ mermaid `x\n~~~": "mermaid",
    "1. ````stl\n   ````": "stl",
    "safe \u202eexe.evil\u2066": "\u202e",
    "<img src=x>": "<img",
    "<details open>": "<details open",
    "</table>": "</table",
    "<!-- kingdom preview -->": "<!--",
}


def posted(tmp_path: Path, text: str | None, event: str = "pull_request") -> tuple[list[str], dict[str, str]]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not on PATH")
    (script,) = [
        step["with"]["script"]
        for step in steps(FOLDER / "preview-comment.yml")
        if "script" in step.get("with", {})
    ]
    (tmp_path / "script.js").write_text(script)
    (tmp_path / "harness.js").write_text(HARNESS)
    if text is not None:
        (tmp_path / "review").mkdir()
        (tmp_path / "review/comment.md").write_text(f"<!-- kingdom preview -->\n{text}\n")
        (tmp_path / "review/policies.sarif").write_text("{}")
    done = subprocess.run(
        [node, "harness.js", "script.js", str(tmp_path), event],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return found["posted"], found["outputs"]


def test_links_mentions_and_references_in_untrusted_text_are_removed(tmp_path: Path) -> None:
    text = "\n\n".join(HOSTILE)
    (body,) = posted(tmp_path, text)[0]
    head, _, foot = body.rpartition("\n---\n")
    assert not [mark for mark in HOSTILE.values() if mark in head.removeprefix("<!-- kingdom preview -->")]
    assert foot.startswith("Created by the pull request's own code at " + "a" * 40)


def test_markup_of_a_review_is_not_changed(tmp_path: Path) -> None:
    text = "<details><summary><code>dev</code></summary>\n\n- `a` &lt;b&gt; &amp; c\n\n</details>"
    assert text in posted(tmp_path, text)[0][0]


@pytest.mark.parametrize("text", ["````\nnever closed", "<details>\n<details>", "~~~\n```\n"])
def test_unclosed_markup_does_not_hide_the_note_on_the_author(tmp_path: Path, text: str) -> None:
    (body,) = posted(tmp_path, text)[0]
    head, _, _ = body.rpartition("\n\n---\n")
    assert head.count("<details>") == head.count("</details>")
    last = head.rstrip().splitlines()[-1]
    assert last in ("````", "</details>", "~~~")


def test_a_comment_of_any_length_fits(tmp_path: Path) -> None:
    (body,) = posted(tmp_path, "@" * 200_000)[0]
    assert len(body) <= 65_536
    assert "characters more in the run" in body


def test_findings_of_main_are_published_for_main_without_a_comment(tmp_path: Path) -> None:
    bodies, outputs = posted(tmp_path, "text", event="push")
    assert bodies == []
    assert outputs == {"ref": "refs/heads/b", "sha": "a" * 40, "sarif": "true", "junit": "false"}


def test_a_run_without_a_review_is_reported(tmp_path: Path) -> None:
    (body,) = posted(tmp_path, None)[0]
    assert "The preview ended without a review (success)" in body
