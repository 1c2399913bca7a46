"""Every change that could affect the findings of a review needs an owner's approval."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal.review.rules.reasons import ORDINARY_FOLDERS, ChangedFile, needs_text, reasons_of
from tests.rehearsal.review.repositories import Repository

ROOT = Path(__file__).parents[4]
PACK = ROOT / "policies"
STACK = "config:\n  gcp:project: kingdom-prod\n  policies:monthlyCeiling: '10000'\n"


def program(text: str) -> ChangedFile:
    """A change of the program by `text`."""
    return ChangedFile("infra/cache.py", "", text + "\n")


WAYS = {
    "a rule is removed": ChangedFile("policies/rules/identity.py", "a = 1", ""),
    "the tool reports less": ChangedFile("rehearsal/review/formats/sarif.py", "a = 1", "a = 2"),
    "the workflow does not run it": ChangedFile(".github/workflows/preview.yml", "a: 1", "a: 2"),
    "a document becomes a module": ChangedFile(
        "infra/x.py", "import os\nos._exit(0)", "import os\nos._exit(0)", previous="tests/x.py"
    ),
    "a document becomes a stack file": ChangedFile(
        "stacks/Pulumi.qa.yaml",
        "config:\n  policies:config: {all: disabled}\n",
        "config:\n  policies:config: {all: disabled}\n",
        previous="docs/x.yaml",
    ),
    "a rule is moved away": ChangedFile("docs/old.py", "", "a = 1", previous="policies/rules/tls.py"),
    "another folder of stacks": ChangedFile("Pulumi.yaml", "main: infra", "main: infra\nstackConfigDir: x"),
    "all rules are disabled": ChangedFile(
        "stacks/Pulumi.prod.yaml", STACK, STACK + "  policies:config: {all: disabled}\n"
    ),
    "the ceiling is raised": ChangedFile("stacks/Pulumi.prod.yaml", STACK, STACK.replace("10000", "99999")),
    "the ceiling is removed": ChangedFile("stacks/Pulumi.prod.yaml", STACK, "config: {}\n"),
    "a new stack without rules": ChangedFile(
        "stacks/Pulumi.qa.yaml", "", STACK + "  policies:config: {all: disabled}\n"
    ),
    "a stack file in another folder": ChangedFile(
        "environments/Pulumi.prod.yaml", STACK, STACK.replace("10000", "99999"), "stacks/Pulumi.prod.yaml"
    ),
    "an unreadable stack file": ChangedFile("stacks/Pulumi.prod.yaml", STACK, "config: [\n"),
    "the program ends the process": ChangedFile("infra/cache.py", "", "import os\nos._exit(0)\n"),
    "the program changes the tool": ChangedFile("infra/cache.py", "", "import rehearsal.policy.pack as a\n"),
    "the program finds the tool": ChangedFile("infra/cache.py", "", "import sys\nsys.modules['x']\n"),
    "the program becomes another process": program("import os\nos.execv('/bin/true', ['true'])"),
    "the program writes files": program("import pathlib\npathlib.Path('review').rename('x')"),
    "a module of a module": program("import dataclasses\ndataclasses.sys.path"),
    "a module by a pattern": program("import enum\nmatch enum:\n  case object(sys=a): pass"),
    "a class by its base": program("a = ().__class__.__base__.__subclasses__()"),
    "an annotation that is evaluated": program("""a: "__import__('os')" = 1"""),
    "the connection to the engine": program("import pulumi\npulumi.runtime.settings.get_monitor()"),
    "a module in place of another": program("import yaml"),
    "a module without a text": ChangedFile("infra/__pycache__/cache.cpython-311.pyc"),
    "a native module": ChangedFile("infra/cache.cpython-311-x86_64-linux-gnu.so"),
    "a module that Python starts with": ChangedFile("sitecustomize.py", "", "a = 1"),
    "a command in the environment": ChangedFile(".venv/bin/kingdom"),
    "a path file in the environment": ChangedFile(".venv/lib/python3.11/site-packages/a.pth"),
    "a build of the project": ChangedFile("setup.py", "", "a = 1"),
    "another index of packages": ChangedFile("uv.toml"),
    "another package": ChangedFile("yaml/__init__.py", "", "a = 1"),
    "attributes of files": ChangedFile(".gitattributes"),
    "a stack that is not deployed": ChangedFile(
        "stacks/Pulumi.prod.yaml", STACK, STACK + "  rehearsal:machine: {edgePort: 1}\n"
    ),
    "a setting that is repeated": ChangedFile(
        "stacks/Pulumi.prod.yaml", STACK, "config:\n  policies:monthlyCeiling: '99999'\n" + STACK[8:]
    ),
}
HARMLESS = {
    "a setting": ChangedFile("stacks/Pulumi.prod.yaml", STACK, STACK.replace("kingdom-prod", "kingdom-two")),
    "a new stack with a ceiling": ChangedFile("stacks/Pulumi.qa.yaml", "", STACK),
    "a resource": ChangedFile("infra/cache.py", "a = 1\n", "import json\nimport pulumi_gcp as gcp\na = 2\n"),
    "the service": ChangedFile("app/server.py", "", "import importlib\n"),
    "a page": ChangedFile("docs/api.md"),
}


@pytest.mark.parametrize("file", WAYS.values(), ids=WAYS)
def test_file_that_can_change_a_review_needs_an_owner(file: ChangedFile) -> None:
    assert list(reasons_of(file))


@pytest.mark.parametrize("file", HARMLESS.values(), ids=HARMLESS)
def test_other_changes_require_no_approval(file: ChangedFile) -> None:
    assert list(reasons_of(file)) == []


def test_the_program_of_today_uses_these_ways_out_of_it_and_no_other() -> None:
    found = {
        reason.partition(":")[0]
        for path in sorted((ROOT / "infra").rglob("*.py"))
        for reason in reasons_of(ChangedFile(str(path.relative_to(ROOT)), "", path.read_text()))
    }
    assert found == {
        "infra/observability/signals.py uses getattr",
        "infra/observability/signals.py uses pathlib",
        "infra/observability/signals.py uses yaml",
        "infra/settings/service.py uses create_model",
        "infra/settings/service.py uses getattr",
        "infra/storage.py uses pathlib",
    }


def test_ordinary_folders_are_not_imported_while_a_change_is_reviewed(tmp_path: Path) -> None:
    """If a review imported a module of an ordinary folder, the module could change the findings."""
    repository = Repository(tmp_path)
    code = "import atexit, sys; from rehearsal.cli.__main__ import run;"
    code += "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); run()"
    arguments = ["preview", "--all", "--base", "HEAD", "--format", "markdown", "--policy-pack", str(PACK)]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=repository.root, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    modules = done.stderr.split()
    assert "rehearsal.review.formats.markdown" in modules
    ordinary = {folder.strip("/") for folder in ORDINARY_FOLDERS}
    assert not [module for module in modules if module.partition(".")[0] in ordinary]


def test_only_files_whose_text_decides_are_fetched() -> None:
    assert needs_text("infra/cache.py")
    assert needs_text("environments/Pulumi.prod.yaml")
    assert not needs_text("tests/infra/test_cache.py")
    assert not needs_text("docs/api.md")
