"""Change single values in the text of a stack file and preserve everything else, comments included."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from rehearsal.errors import InputError
from rehearsal.host.errors import MachineError
from rehearsal.host.processes.atomic_files import write_atomic


def changed(text: str, path: Sequence[str], value: str, old: str | None = None) -> str:
    """Return `text` with the scalar at `path` below ``config`` replaced, in its style of quotes.

    Raises InputError when there is none, when it is not `old`, and when its line gives other settings their
    value too, as with an anchor: exactly one setting changes.
    """
    name = " > ".join(("config", *path))
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        before = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"the stack file is not YAML: {error}") from error
    node = root
    for key in ("config", *path):
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((item for found, item in pairs if found.value == key), None)
        if node is None:
            raise InputError(f"the stack file has no {name}")
    if not isinstance(node, yaml.ScalarNode) or node.style in ("|", ">"):
        raise InputError(f"{' > '.join(path)} is not a single value")
    if old is not None and str(node.value) != old:
        raise InputError(
            f"{name} is {node.value} and not {old}: the stack file was changed meanwhile",
            remedy="Run `kingdom recommend` again.",
        )
    # The start mark of a node is before its anchor and tag, so the scalar's own token is used.
    end = node.end_mark.index
    start = next(
        token.start_mark.index
        for token in yaml.scan(text, Loader=yaml.SafeLoader)
        if isinstance(token, yaml.ScalarToken) and token.end_mark.index == end
    )
    quote = node.style or ""
    after = text[:start] + quote + value + quote + text[end:]
    if yaml.safe_load(after) != _with(before, ("config", *path), yaml.safe_load(f"{quote}{value}{quote}")):
        raise InputError(
            f"{name} in line {node.start_mark.line + 1} of the stack file cannot be changed alone: an anchor,"
            " an alias or a second entry of the same name uses it",
            remedy=f"Set it to {value} by hand.",
        )
    return after


def read_text(path: Path) -> str:
    """Return the text of a stack file with its line ends. Raises InputError."""
    try:
        return path.read_bytes().decode()
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def replace_text(path: Path, text: str) -> None:
    """Replace the text of a stack file, which retains its mode. On InputError, the file is unchanged."""
    target = path.resolve()  # of a symbolic link, the target is replaced
    try:
        write_atomic(target, text.encode(), mode=target.stat().st_mode & 0o777)
    except (OSError, MachineError) as error:
        raise InputError(f"{path} was not changed: {error}") from error


def diff(before: str, after: str, name: str) -> str:
    """Return a unified diff for `git apply` and `patch -p1`."""
    found = difflib.unified_diff(_lines(before), _lines(after), f"a/{name}", f"b/{name}")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in found
    )


def _lines(text: str) -> list[str]:
    """Return the lines as git counts them: other line separators of Unicode are part of a line."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _with(content: Any, path: Sequence[str], value: Any) -> Any:
    """Return plain data with another value at `path`."""
    content = copy.deepcopy(content)
    # An alias is the same object in several places, and only one of them changes.
    item = content
    for key in path[:-1]:
        item[key] = copy.copy(item[key])
        item = item[key]
    item[path[-1]] = value
    return content
