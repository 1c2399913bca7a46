"""Layout of the repository: tests mirror the tree, folders stay small, imports form no cycle.

`layout_allowance.yaml` lists the remaining exceptions; its lists may only shrink.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from tests.repository._tree import ROOT, name, text, tracked

PACKAGES: Final = ("app", "infra", "policies", "rehearsal", "loadtest", "tools")
MAX_FILES: Final = 15
# Suites of more than one module, with the reason why they mirror no single one.
SUITES: Final = {
    "tests/app/cache/test_staleness_bounds.py": "both cache layers and the backplane under failures",
    "tests/app/http/test_edge_cache.py": "cache and memory of the local edge",
    "tests/app/http/test_edge_limits.py": "the service behind the local edge and gateway",
    "tests/app/contract": "the whole HTTP API against its OpenAPI document",
    "tests/app/queue/test_model.py": "model-based test of the queue as a whole",
    "tests/app/resilience/test_goodput.py": "limiter, priorities and a simulated service under overload",
    "tests/app/test_image.py": "the container image",
    "tests/app/test_outages.py": "outages of every backend",
    "tests/benchmarks": "benchmarks run from outside",
    "tests/cluster": "a real Kubernetes control plane",
    "tests/docs": "documents tested as code",
    "tests/drills": "faults injected into the running platform",
    "tests/infra/audits": "promises over the rehearsed state of every stack",
    "tests/infra/inventory": "golden inventories of every stack",
    "tests/infra/manifests": "published schemas of the declared objects",
    "tests/infra/mutations": "every hardening setting turned off in turn",
    "tests/infra/test_deprecation.py": "the whole program against the SDKs' deprecations",
    "tests/infra/test_hardening.py": "the hardening table over the rehearsed state",
    "tests/infra/test_inventory.py": "golden inventories of every stack",
    "tests/infra/test_mutations.py": "every hardening setting turned off in turn",
    "tests/infra/test_program.py": "the whole program, rehearsed for every stack",
    "tests/infra/test_requirements.py": "the requirements table over the rehearsed state",
    "tests/infra/test_secret_rotation.py": "rotation across modules and running pods",
    "tests/infra/test_setting_changes.py": "one changed setting in the plan of a whole stack",
    "tests/infra/test_state_audits.py": "promises over the rehearsed state of every stack",
    "tests/policies/cases": "passing and failing cases of every policy",
    "tests/policies/test_cases.py": "passing and failing cases of every policy",
    "tests/policies/test_program.py": "every policy against a whole program",
    "tests/policies/program": "every policy against a whole program",
    "tests/rehearsal/engine/test_cases.py": "programs on which this engine and the Pulumi CLI once disagreed",
    "tests/rehearsal/engine/test_crashes.py": "kill -9 at every step of an operation",
    "tests/rehearsal/engine/test_options.py": "resource options in combination",
    "tests/rehearsal/policy/test_manifest_cases.py": "manifests whose result is known from Kubernetes",
    "tests/rehearsal/policy/test_manifest_fuzz.py": "arbitrary manifests against the whole check",
    "tests/rehearsal/providers/constraints/test_faults.py": "planted faults against every constraint",
    "tests/rehearsal/providers/test_invalid_inputs.py": "every provider against wrong inputs",
    "tests/rehearsal/review/test_examples.py": "whole reviews of small changes",
    "tests/rehearsal/review/test_example.py": "the committed example comment",
    "tests/rehearsal/parity": "the same programs under the real engine",
    "tests/repository": "rules for every file",
    "tests/soak": "minutes of steady load",
    "tests/support": "shared helpers",
    "tests/workflows": "workflows run step by step",
}


@cache
def _allowed() -> Mapping[str, Any]:
    return yaml.safe_load(Path(__file__).with_name("layout_allowance.yaml").read_text())


@cache
def _modules() -> tuple[Path, ...]:
    """Source modules of the packages, `__init__` of a package that defines something included."""
    return tuple(
        path
        for path in tracked(".py")
        if path.relative_to(ROOT).parts[0] in PACKAGES and path.name != "__main__.py" and _defines(path)
    )


def _defines(path: Path) -> bool:
    tree = ast.parse(text(path) or "")
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for node in tree.body)


def _test_of(module: Path) -> Path:
    """The mirrored test: `a/b/c.py` has `tests/a/b/test_c.py`, a package `a/b` has `tests/a/b/test_b.py`."""
    relative = module.relative_to(ROOT)
    stem = relative.parent.name if relative.name == "__init__.py" else relative.stem
    return ROOT / "tests" / relative.parent / f"test_{stem}.py"


def _in_suite(path: Path) -> bool:
    return any(path.is_relative_to(ROOT / suite) for suite in SUITES)


def test_every_module_has_the_test_that_mirrors_it() -> None:
    missing = sorted(name(path) for path in _modules() if not _test_of(path).exists())
    assert missing == sorted(_allowed()["modules_without_test"])


def test_every_test_mirrors_a_module_or_belongs_to_a_named_suite() -> None:
    mirrored = {_test_of(path) for path in _modules()}
    lost = sorted(
        name(path)
        for path in tracked(".py")
        if path.is_relative_to(ROOT / "tests")
        and path.name.startswith("test_")
        and not _in_suite(path)
        and path not in mirrored
    )
    assert lost == sorted(_allowed()["tests_without_module"])


def test_every_named_suite_exists() -> None:
    assert not [suite for suite in SUITES if not (ROOT / suite).exists()]


def test_no_folder_holds_more_than_about_fifteen_source_files() -> None:
    counts = Counter(
        name(path.parent)
        for path in tracked(".py")
        if path.relative_to(ROOT).parts[0] in {*PACKAGES, "benchmarks"} and path.name != "__init__.py"
    )
    crowded = {folder: count for folder, count in counts.items() if count > MAX_FILES}
    allowed: dict[str, int] = _allowed()["crowded_folders"]
    assert {folder: allowed.get(folder, 0) for folder in crowded} == allowed
    assert all(count <= allowed[folder] for folder, count in crowded.items())


def test_imports_form_no_cycle() -> None:
    graph = {_dotted(path): set(_imports(path)) for path in tracked(".py") if _is_source(path)}
    cycles = sorted(" ".join(sorted(group)) for group in _cycles(graph))
    assert cycles == sorted(_allowed()["import_cycles"])


def test_classes_of_one_package_do_not_share_a_name() -> None:
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in tracked(".py"):
        if _is_source(path):
            for node in ast.parse(text(path) or "").body:
                if isinstance(node, ast.ClassDef):
                    top = path.relative_to(ROOT).parts[0]
                    places[top, node.name].append(name(path))
    shared = {f"{top} {cls}" for (top, cls), where in places.items() if len(where) > 1}
    assert shared == set(_allowed()["shared_class_names"])


def _is_source(path: Path) -> bool:
    return path.relative_to(ROOT).parts[0] in PACKAGES


def _dotted(path: Path) -> str:
    relative = path.relative_to(ROOT).with_suffix("")
    return ".".join(relative.parent.parts if relative.name == "__init__" else relative.parts)


def _imports(path: Path) -> Iterator[str]:
    """Yield the modules imported when a module is loaded: not in functions, and not for type checkers."""
    package = ".".join(path.relative_to(ROOT).parent.parts)
    yield from _imported(text(path) or "", package, _known())


def _imported(source: str, package: str, known: Collection[str]) -> Iterator[str]:
    waiting: list[ast.stmt] = list(ast.parse(source).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            found = [f"{module}.{alias.name}" for alias in node.names]
            yield from (target if target in known else module for target in found)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Try):
            waiting += [*node.body, *node.orelse, *node.finalbody]
            waiting += [each for handler in node.handlers for each in handler.body]
        elif isinstance(node, ast.If | ast.With | ast.ClassDef) and not _is_for_types(node):
            waiting += [*node.body, *(node.orelse if isinstance(node, ast.If) else ())]


def _is_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def test_imports_of_every_form_are_found() -> None:
    source = """
import a.one
from a import two, Name
from . import three
from .four import Name
from ..five import Name
if TYPE_CHECKING:
    import a.types
try:
    import a.fast
except ImportError:
    import a.slow
if FLAG:
    import a.optional
def later():
    import a.lazy
"""
    found = sorted(_imported(source, "a.b", {"a.two", "a.b.three"}))
    expected = "a a.b.four a.b.three a.fast a.five a.one a.optional a.slow a.two"
    assert found == expected.split()


def test_cycles_of_imports_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c", "elsewhere"}, "c": {"b"}, "d": {"a", "e"}, "e": set[str]()}
    assert _cycles(graph) == [{"b", "c"}]
    assert _cycles({"a": {"b"}, "b": {"c"}, "c": set()}) == []


@cache
def _known() -> frozenset[str]:
    return frozenset(_dotted(path) for path in tracked(".py") if _is_source(path))


def _cycles(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Strongly connected components of more than one module (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in graph.get(node, ()):
            if target not in graph:
                continue
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            group: set[str] = set()
            while node not in group:
                group.add(stack.pop())
            if len(group) > 1:
                found.append(group)

    for node in graph:
        if node not in index:
            visit(node)
    return found
