"""The reasons why a changed file of a pull request needs an owner's approval.

Documents, tests and the service cannot affect a review, so they are listed here. Every other file can, even a
new one: for example, Python runs some files in the root or in ``.venv`` at startup.
"""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

# No file in these folders is run, imported or read by a review.
ORDINARY_FOLDERS: Final = (
    "app/",
    "benchmarks/",
    "docs/",
    "loadtest/",
    "mobile/",
    "tests/",
    "tools/",
)
PROGRAM: Final = "infra/"
STACKS: Final = "stacks/"
_ORDINARY_FILE: Final = re.compile(r"README\.md|CONTRIBUTING\.md|stacks/(?:Pulumi\.[^/]+\.ya?ml|[^/]+\.json)")
# Files of the program: modules, whose text is checked, and data. Compiled modules have no text to check.
_PROGRAM_FILE: Final = re.compile(r"infra/.*\.(?:py|json|md|rules|yaml)")
_STACK_FILE: Final = re.compile(r"(?:.*/)?Pulumi\.[^/]+\.ya?ml")
# A stack with `rehearsal:` settings is neither deployed nor checked for drift.
_NAMESPACES: Final = ("policies:", "rehearsal:")
_CEILING: Final = "policies:monthlyCeiling"
# Modules that the program may import: it runs in the process of the engine, which they do not expose.
_MODULES: Final = frozenset({
    "__future__", "abc", "base64", "collections", "dataclasses", "datetime", "decimal", "difflib", "enum",
    "functools", "hashlib", "infra", "ipaddress", "itertools", "json", "math", "operator", "pulumi",
    "pulumi_cloudflare", "pulumi_gcp", "pulumi_kubernetes", "pulumi_mongodbatlas", "pulumi_random",
    "pydantic", "pydantic_core", "re", "string", "textwrap", "typing", "urllib",
})  # fmt: skip
# Attributes of those modules that expose other modules or the connection to the engine.
_INSIDE: Final = frozenset({
    "SETTINGS", "_exit", "_os", "_sys", "atexit", "attrgetter", "builtins", "codecs", "ctypes", "eval",
    "exec", "gc", "get_engine", "get_monitor", "importlib", "inspect", "io", "linecache", "meta_path",
    "methodcaller", "modules", "open", "os", "pickle", "rehearsal", "set_mocks", "setprofile", "settrace",
    "signal", "socket", "subprocess", "sys", "threading",
})  # fmt: skip
_NAMES: Final = frozenset({
    "ForwardRef", "breakpoint", "compile", "create_model", "delattr", "eval", "exec", "get_type_hints",
    "getattr", "globals", "locals", "open", "setattr", "vars",
})  # fmt: skip
_DUNDER: Final = re.compile(r"__(?!init__|post_init__|name__|doc__|file__)\w+__")


@dataclass(frozen=True)
class ChangedFile:
    """One file of a pull request, with its text before and after; "" if it did not exist or is not read."""

    path: str
    before: str = ""
    after: str = ""
    previous: str = ""  # the path at the base, if the file was renamed


def needs_text(path: str) -> bool:
    """Whether `reasons_of` reads the text of the file `path`, not only its name."""
    return _STACK_FILE.fullmatch(path) is not None or _is_module(path)


def reasons_of(file: ChangedFile) -> Iterator[str]:
    """Yield why a change of `file` needs an owner's approval."""
    paths = [path for path in (file.path, file.previous) if path]
    for path in paths:
        if not _is_ordinary(path):
            yield f"{path} is changed"
    if any(_STACK_FILE.fullmatch(path) for path in paths):
        yield from _settings_of_rules(file)
    elif _is_module(file.path):
        yield from _ways_out(file)


def _is_module(path: str) -> bool:
    return path.startswith(PROGRAM) and path.endswith(".py")


def _former(file: ChangedFile, is_alike: Callable[[str], bool]) -> str:
    """Return the text before the change; "" if the file was renamed and was not `is_alike` before."""
    return file.before if not file.previous or is_alike(file.previous) else ""


def _is_ordinary(path: str) -> bool:
    return (
        path.startswith(ORDINARY_FOLDERS)
        or _ORDINARY_FILE.fullmatch(path) is not None
        or _PROGRAM_FILE.fullmatch(path) is not None
    )


def _settings_of_rules(file: ChangedFile) -> Iterator[str]:
    former = _former(file, lambda path: _STACK_FILE.fullmatch(path) is not None)
    try:
        before, after = _keys(former), _keys(file.after)
    except (yaml.YAMLError, AttributeError, TypeError):
        yield f"{file.path} cannot be read"
        return
    for key in sorted({*before, *after}):
        if before.get(key) == after.get(key):
            continue
        # A new environment has to set its cost ceiling, so this setting needs no approval there.
        if former or key != _CEILING:
            yield f"{file.path}: {key} is changed"


def _keys(text: str) -> dict[str, Any]:
    config = (yaml.load(text, _UniqueKeys) or {}).get("config") or {}  # noqa: S506 - a safe loader
    return {str(key): value for key, value in config.items() if str(key).startswith(_NAMESPACES)}


class _UniqueKeys(yaml.SafeLoader):
    """A safe loader that rejects repeated keys, because parsers differ in which one they use."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len({str(key) for key in keys}) < len(keys):
            raise yaml.YAMLError("a key is repeated")
        return super().construct_mapping(node, deep)


def _ways_out(file: ChangedFile) -> Iterator[str]:
    try:
        before, after = _used(_former(file, _is_module)), _used(file.after)
    except (SyntaxError, ValueError):
        yield f"{file.path} is not valid Python"
        return
    for name in sorted(after - before):
        yield f"{file.path} uses {name}: a program can change with it what is reported"


def _used(text: str) -> set[str]:
    """Return the names in the module `text` that can give access to modules outside the allowed ones."""
    return {name for node in ast.walk(ast.parse(text)) for name in _used_by(node)}


def _used_by(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import():
            yield from (alias.name for alias in node.names if not _is_known(alias.name))
        case ast.ImportFrom() if node.level == 0:
            module = str(node.module)
            if not _is_known(module):
                yield module
            yield from (f"{module}.{alias.name}" for alias in node.names if _is_inside(alias.name))
        case ast.Name() if node.id in _NAMES or _DUNDER.fullmatch(node.id):
            yield node.id
        case ast.Attribute() if _is_inside(node.attr):
            yield node.attr
        case ast.MatchClass():  # `case object(sys=x)` reads an attribute
            yield from filter(_is_inside, node.kwd_attrs)
        case ast.Constant(value=str(text)) if "(" in text:  # pydantic evaluates annotations that are strings
            with contextlib.suppress(SyntaxError, ValueError):
                yield from (
                    name for inner in ast.walk(ast.parse(text, mode="eval")) for name in _used_by(inner)
                )
        case _:
            pass


def _is_known(module: str) -> bool:
    root, *rest = module.split(".")
    return root in _MODULES and not any(_is_inside(name) for name in rest)


def _is_inside(name: str) -> bool:
    return name in _INSIDE or _DUNDER.fullmatch(name) is not None
