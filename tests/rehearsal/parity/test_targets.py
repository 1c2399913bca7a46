"""Operations on some resources only, beside the CLI: the same steps, the same exit, the same state."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rehearsal.minimal import Tiny
from tests.rehearsal.parity import steps
from tests.rehearsal.parity.kingdom_cli import Kingdom
from tests.rehearsal.parity.pulumi_cli import Pulumi, Ran
from tests.rehearsal.parity.random_programs import PRELUDE
from tests.rehearsal.parity.records import comparable, differences

ON = ("--stack", "local")
PET = "urn:pulumi:local::tiny::random:index/randomPet:RandomPet"
BUCKET = "urn:pulumi:local::tiny::gcp:storage/bucket:Bucket"
BOX = "urn:pulumi:local::tiny::toys:index:Box"

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900), pytest.mark.xdist_group("parity")]

BEFORE = """
p = Provider("p", project="ours")
a = Pet("a", keepers={"k": "1"})
b = Bucket("b", ResourceOptions(provider=p), labels={"a": a.id})
box = Box("box", a="1", outputs={"o": "1"})
child = Pet("child", ResourceOptions(parent=box), keepers={"k": "1"})
m = Map("m", ResourceOptions(depends_on=[box]), data={"k": "1"})
gone = Pet("gone", keepers={"k": "1"})
after_gone = Bucket("after-gone", labels={"a": gone.id})
pulumi.export("a", a.id)
"""

AFTER = """
p = Provider("p", project="ours")
a = Pet("a", keepers={"k": "2"})
b = Bucket("b", ResourceOptions(provider=p), labels={"a": a.id, "b": "2"})
box = Box("box", a="2", outputs={"o": "2"})
child = Pet("child", ResourceOptions(parent=box), keepers={"k": "2"})
m = Map("m", ResourceOptions(depends_on=[box]), data={"k": "2"})
new = Pet("new", keepers={"k": "2"})
newer = Bucket("newer", ResourceOptions(depends_on=[new]))
pulumi.export("a", a.id)
pulumi.export("m", m.metadata)
"""

RENAMED = """
box = Box("crate", ResourceOptions(aliases=[Alias(name="box")]), a="2")
child = Pet("child", ResourceOptions(parent=box), keepers={"k": "2"})
a = Pet("a", keepers={"k": "2"})
"""


@dataclass(frozen=True)
class Case:
    """A command with options, which is run after an update from `before` to the program `after`."""

    options: tuple[str, ...]
    command: str = "up"
    after: str = AFTER
    before: str = BEFORE


# The location of `a`, which is deleted before its replacement, is the only difference between two steps.
REPLACED = """
a = Bucket("a", ResourceOptions(delete_before_replace=True), location="{location}")
b = Pet("b", keepers={{"k": a.url}})
c = Bucket("c", ResourceOptions(depends_on=[b]), labels={{"x": "{location}"}})
Box("box", ResourceOptions(deleted_with=a), a="{location}")
"""
RETIRED = """
Pet("a")
Map("m", data={{"k": "{text}"}})
Password("p", keepers={{"k": "{text}"}})
"""

NESTED = """
box = Box("box")
inner = Box("inner", ResourceOptions(parent=box))
Pet("child", ResourceOptions(parent=inner))
"""


CASES = {
    "target": Case(("--target", f"{PET}::a")),
    "glob": Case(("--target", "**RandomPet::*")),
    "dependents": Case(("--target", f"{PET}::a", "--target-dependents")),
    "component": Case(("--target", f"{BOX}::box")),
    "component-with-children": Case(("--target", f"{BOX}::box", "--target-dependents")),
    "new": Case(("--target", f"{PET}::new")),
    "needs-new": Case(("--target", f"{BUCKET}::newer")),
    "undeclared": Case(("--target", f"{BUCKET}::after-gone")),
    "undeclared-with-dependents": Case(("--target", f"{PET}::gone")),
    "undeclared-and-dependents": Case(("--target", f"{PET}::gone", "--target-dependents")),
    "unknown": Case(("--target", f"{PET}::nothing")),
    "exclude": Case(("--exclude", f"{PET}::a")),
    "exclude-dependents": Case(("--exclude", f"{PET}::a", "--exclude-dependents")),
    "exclude-new": Case(("--exclude", f"{PET}::new", "--exclude-dependents")),
    "exclude-component": Case(("--exclude", f"{BOX}::box", "--exclude-dependents")),
    "replace": Case(("--replace", f"{PET}::a", "--replace", f"{BOX}::box"), after=BEFORE),
    "replace-unknown": Case(("--replace", f"{PET}::nothing")),
    "target-replace": Case(("--target-replace", f"{BUCKET}::b")),
    "renamed": Case(("--target", f"{PET}::a"), after=RENAMED),
    "needed-by-unchanged": Case(
        ("--target", f"{PET}::d"),
        before='d = Pet("d")\nBucket("u", ResourceOptions(depends_on=[d]))\n',
        after='Bucket("u", labels={"x": "1"})\n',
    ),
    "created-again": Case(
        ("--target", f"{BUCKET}::a", "--target-dependents"),
        before=REPLACED.format(location="EU"),
        after=REPLACED.format(location="US"),
    ),
    "created-again-alone": Case(
        ("--target", f"{BUCKET}::a"),
        before=REPLACED.format(location="EU"),
        after=REPLACED.format(location="US"),
    ),
    "created-again-excluded": Case(
        ("--exclude", f"{PET}::b", "--exclude-dependents"),
        before=REPLACED.format(location="EU"),
        after=REPLACED.format(location="US"),
    ),
    "exclude-read": Case(
        ("--exclude", f"{BUCKET}::r"),
        before='Read("r", ResourceOptions(id="seen"))\n',
        after='Bucket("r", labels={"x": "1"})\n',
    ),
    "exclude-dependents-of-the-stack": Case(
        ("--exclude", f"{PET}::a", "--exclude-dependents"),
        before=RETIRED.format(text="1"),
        after=RETIRED.format(text="2"),
    ),
    "exclude-child-of-renamed": Case(
        ("--exclude", "**::child"),
        before=NESTED,
        after="""
was = Alias(name="box", type_="toys:index:Box")
Box("crate", ResourceOptions(aliases=[was]), kind="Crate")
""",
    ),
    "destroy": Case(("--target", f"{BUCKET}::b"), "destroy"),
    "destroy-with-dependents": Case(("--target", f"{PET}::a"), "destroy"),
    "destroy-and-dependents": Case(("--target", f"{BOX}::box", "--target-dependents"), "destroy"),
    "destroy-exclude": Case(("--exclude", f"{BUCKET}::b"), "destroy"),
    "destroy-unknown": Case(("--target", f"{PET}::nothing"), "destroy"),
    "refresh": Case(("--target", f"{PET}::a"), "refresh"),
}


@pytest.fixture(scope="module")
def engines(providers: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Pulumi, Kingdom]:
    folder = tmp_path_factory.mktemp("targets")
    projects = [folder / "pulumi", folder / "kingdom"]
    for project in projects:
        project.mkdir()
        Tiny.make(project)
    pulumi = Pulumi(projects[0], folder / "home", providers)
    assert pulumi.run("stack", "init", "local").code == 0
    return pulumi, Kingdom(projects[1])


@pytest.mark.parametrize("name", CASES)
def test_operation_on_some_resources_is_that_of_the_cli(name: str, engines: tuple[Pulumi, Kingdom]) -> None:
    pulumi, kingdom = engines
    case = CASES[name]
    theirs, ours = _run(pulumi, kingdom, case.before, "up", ())
    assert (theirs.code, ours.code) == (0, 0), theirs.output + ours.output
    theirs, ours = _run(pulumi, kingdom, case.after, case.command, case.options)
    assert ours.code == theirs.code, theirs.output + ours.output
    found: list[str] = []
    if case.command == "up" and ours.code == 0:
        found = steps.differing(steps.of_pulumi(pulumi.home / "events.jsonl"), steps.of_kingdom(ours.output))
    found += differences(comparable(pulumi.export("local")), comparable(kingdom.export("local")))
    assert not found, theirs.output + ours.output


def _run(
    pulumi: Pulumi, kingdom: Kingdom, program: str, command: str, options: tuple[str, ...]
) -> tuple[Ran, Ran]:
    for project in (pulumi.project, kingdom.project):
        Path(project / "infra" / "__main__.py").write_text(PRELUDE + program)
    ours_command = {"destroy": "down"}.get(command, command)
    with ThreadPoolExecutor() as pool:
        ours = pool.submit(kingdom.run, ours_command, *ON, *options)
        theirs = pulumi.run(command, *ON, "--yes", *options)
        return theirs, ours.result()
