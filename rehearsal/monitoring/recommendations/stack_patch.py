"""Change single values in the text of a stack file and preserve everything else, comments included."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import yaml

from rehearsal.errors import InputError


def changed(text: str, path: Sequence[str], value: str) -> str:
    """Return `text` with the scalar at `path` below ``config`` replaced.

    Raises InputError if there is nothing to replace at the path.
    """
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    for key in ("config", *path):
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((item for name, item in pairs if name.value == key), None)
        if node is None:
            raise InputError(f"the stack file has no {' > '.join(('config', *path))}")
    if not isinstance(node, yaml.ScalarNode):
        raise InputError(f"{' > '.join(path)} is not a single value")
    return text[: node.start_mark.index] + value + text[node.end_mark.index :]


def diff(before: str, after: str, name: str) -> str:
    """Return a unified diff for `git apply` and `patch -p1`."""
    return "".join(
        difflib.unified_diff(
            before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{name}", f"b/{name}"
        )
    )
