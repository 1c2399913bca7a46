"""Forms of programs, and ways in which they end, beside the CLI: the same exit and the same state."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.rehearsal.minimal import Tiny
from tests.rehearsal.parity.kingdom_cli import Kingdom
from tests.rehearsal.parity.pulumi_cli import Pulumi
from tests.rehearsal.parity.random_programs import PRELUDE
from tests.rehearsal.parity.records import comparable, differences

ON = ("--stack", "local")
PETS = 'Pet("a")\nBucket("b")\npulumi.export("x", 1)\n'
PATHS = """
import os, sys
pulumi.export("paths", [__file__, repr(__package__), *sys.argv, os.path.basename(os.getcwd())])
Object("o", source=FileAsset(str(pathlib.Path(__file__).parent / "page.html")))
"""

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900), pytest.mark.xdist_group("parity")]


@dataclass(frozen=True)
class Form:
    """Programs of successive updates in the file `path`, with further files and lines of the project file."""

    programs: tuple[str, ...]
    path: str = "infra/__main__.py"
    files: dict[str, str] = field(default_factory=dict)
    main: str = "infra"
    options: str = "virtualenv: .venv"


TRIGGER = 'Pet("a", ResourceOptions(replacement_trigger=[Output.secret("word"), 1]))\n'
HOOKS = 'ResourceHook("one", lambda args: None)\nResourceHook("one", lambda args: None)\n'
FAILED_HOOK = """
def refuse(args):
    raise ValueError("refused")
binding = ResourceHookBinding(after_delete=[ResourceHook("refuse", refuse)])
"""
TWICE = 'c = Box("c", outputs={"a": 1})\nc.register_outputs({"b": 2})\n'
PLUGIN = 'p = Provider("p", ResourceOptions(plugin_download_url="https://plugins.test"), project="a")\n'

CHILD = 'import subprocess\nsubprocess.run(["echo", "of a child"], check=True)\n'
READING = 'import sys\npulumi.export("read", sys.stdin.read())\n'
OWN_MODULE = "import secrets\npulumi.export('mine', secrets.MINE)\n"

FORMS = {
    "output-of-a-child": Form((CHILD + PETS,)),
    "standard-input": Form((READING,)),
    "changed-environment": Form(("import os\nos.environ.clear()\n" + PETS, PETS)),
    "module-named-secrets": Form((OWN_MODULE,), files={"infra/secrets.py": "MINE = 1\n"}),
    "several-documents": Form(
        (PETS,), files={"stacks/Pulumi.local.yaml": "config:\n  words: 1\n---\n: [not read"}
    ),
    "file-without-suffix": Form((PETS,), "a/b/prog", main="a/b/prog"),
    "secret-inside-a-replacement-trigger": Form((TRIGGER, TRIGGER)),
    "two-hooks-of-one-name": Form((PETS, HOOKS + PETS)),
    "failed-hook-of-a-deletion": Form(
        (
            FAILED_HOOK + 'Pet("a", ResourceOptions(hooks=binding, depends_on=[Bucket("b")]))\n',
            FAILED_HOOK,
        )
    ),
    "outputs-registered-twice": Form((PETS, TWICE)),
    "provider-with-a-plugin-address": Form((PLUGIN,)),
    "import-of-a-provider": Form((PETS, 'Provider("p", ResourceOptions(import_="x"), project="a")\n')),
    "sibling-of-a-file": Form(
        ("import helper\n" + PETS,), "a/b/prog.py", {"a/b/helper.py": ""}, main="a/b/prog.py"
    ),
    "sibling-of-main": Form(("import helper\n" + PETS,), files={"infra/helper.py": ""}),
    "sibling-by-path": Form(
        ("import sys\nsys.path.insert(0, '.')\nimport helper\n" + PETS,),
        "a/b/prog.py",
        {"a/b/helper.py": ""},
        main="a/b/prog.py",
    ),
    "paths-of-a-file": Form((PATHS,), "a/b/prog.py", {"a/b/page.html": "<p>"}, main="a/b/prog.py"),
    "names-of-a-folder": Form(("import os\npulumi.export('a', [os.path.basename(__file__), __name__])\n",)),
    "exit-0": Form((PETS, "import sys\n" + PETS + "sys.exit(0)\n")),
    "exit-3": Form((PETS, "import sys\n" + PETS + "sys.exit(3)\n")),
    "immediate-exit-0": Form((PETS, "import os\n" + PETS + "os._exit(0)\n")),
    "immediate-exit-0-of-a-new-stack": Form(("import os\n" + PETS + "os._exit(0)\n", PETS)),
    "immediate-exit-3": Form((PETS, "import os\n" + PETS + "os._exit(3)\n")),
    "unknown-typechecker": Form((PETS,), options="virtualenv: .venv, typechecker: pytype"),
    "unknown-toolchain": Form((PETS,), options="virtualenv: .venv, toolchain: conda"),
    "absent-typechecker": Form((PETS,), options="virtualenv: .venv, typechecker: mypy"),
    "toolchain": Form((PETS,), options="virtualenv: .venv, toolchain: pip"),
}


@pytest.mark.parametrize("name", FORMS)
def test_program_has_the_result_that_it_has_under_the_cli(name: str, providers: str, tmp_path: Path) -> None:
    form = FORMS[name]
    projects = [_project(tmp_path / folder, form) for folder in ("pulumi", "kingdom")]
    pulumi, kingdom = Pulumi(projects[0], tmp_path / "home", providers), Kingdom(projects[1])
    assert pulumi.run("stack", "init", "local").code == 0
    for program in form.programs:
        for project in projects:
            (project / form.path).write_text(PRELUDE + program)
        with ThreadPoolExecutor() as pool:
            running = pool.submit(kingdom.run, "up", *ON)
            theirs = pulumi.run("up", *ON, "--yes")
            ours = running.result()
        output = theirs.output + ours.output
        assert bool(ours.code) == bool(theirs.code), output
        assert not differences(comparable(pulumi.export("local")), comparable(kingdom.export("local"))), (
            output
        )


def _project(folder: Path, form: Form) -> Path:
    folder.mkdir()
    root = Tiny.make(folder).root
    (root / "Pulumi.yaml").write_text(
        f"name: tiny\nruntime: {{name: python, options: {{{form.options}}}}}\n"
        f"main: {form.main}\nstackConfigDir: stacks\n"
    )
    (root / form.path).parent.mkdir(parents=True, exist_ok=True)
    for name, text in form.files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root
