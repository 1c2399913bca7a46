"""The base class of the components: type tokens, children and labels."""

from __future__ import annotations

import ast
import re

from infra.component import Environment
from tests.infra.rehearsal import ROOT, Declared

TOKEN = re.compile(r"kingdom:[a-z_]+:[A-Z][A-Za-z0-9]*")


def tokens() -> dict[str, str | None]:
    """Type token of each component by `file class`; None where it is not a literal."""
    found: dict[str, str | None] = {}
    for path in sorted((ROOT / "infra").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and any(
                isinstance(base, ast.Name) and base.id == "Component" for base in node.bases
            ):
                (token,) = [
                    call.args[0]
                    for call in ast.walk(node)
                    if isinstance(call, ast.Call) and ast.unparse(call.func) == "super().__init__"
                ]
                literal = token.value if isinstance(token, ast.Constant) else None
                found[f"{path.relative_to(ROOT)} {node.name}"] = literal if isinstance(literal, str) else None
    return found


def test_every_component_has_a_literal_type_token_of_its_own() -> None:
    found = tokens()
    assert len(found) > 30
    assert {name for name, token in found.items() if token is None or not TOKEN.fullmatch(token)} == set()
    assert len(set(found.values())) == len(found)


def test_every_resource_is_a_child_of_a_component(declared: Declared) -> None:
    components = {item.urn for item in declared.result.snapshot.resources if not item.custom}
    assert [item.urn for item in declared.resources if item.parent not in components] == []


def test_labels_name_the_part_and_leave_the_environment_unchanged() -> None:
    labels = {"environment": "qa", "team": "platform"}
    environment = Environment("qa", "kingdom-qa", "123456", "europe-west1", labels, protect=False)
    assert environment.label("cache") == {"environment": "qa", "team": "platform", "part": "cache"}
    assert dict(environment.labels) == {"environment": "qa", "team": "platform"}
