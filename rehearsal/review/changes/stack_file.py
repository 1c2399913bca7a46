"""Positions in a stack file: lines of settings, and of the causes of errors and findings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from rehearsal.errors import WRONG_SETTINGS
from rehearsal.pulumi.project import Stack
from rehearsal.pulumi.properties import differences

_SETTING: Final = re.compile(r"^\s*(?P<key>[a-z]+:[\w.\[\]-]+)(?: = .*)?$")
_MIN_SHARED: Final = 4  # letters; shorter words of a key do not relate it to a message


@dataclass(frozen=True)
class WrongSetting:
    """An invalid setting: its key, the remedy, and its line in the stack file; 0 if the file lacks it."""

    key: str
    message: str
    line: int


def wrong_settings(error: str, path: Path) -> tuple[WrongSetting, ...]:
    """Return the invalid settings that `error` lists, with their lines in the stack file `path`.

    Empty for an error that is not about settings.
    """
    if WRONG_SETTINGS.search(error) is None:
        return ()
    found = []
    lines = error.splitlines()
    for index, text in enumerate(lines):
        match = _SETTING.match(text)
        if match is None:
            continue
        remedy = lines[index + 1].strip() if index + 1 < len(lines) else ""
        found.append(WrongSetting(match["key"], f"{text.strip()}: {remedy}", line_of(path, match["key"])))
    return tuple(found)


def line_of(path: Path, key: str) -> int:
    """Return the line of the setting `key` (``kingdom:edge.port``).

    If the setting is absent, return the line of the object that should contain it, or 0 if there is none.
    """
    try:
        root = yaml.compose(path.read_text(), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return 0
    namespace, _, rest = key.partition(":")
    head, *parts = re.split(r"\.|\[(?=\d)", rest)
    node, line = root, 0
    for part in ("config", f"{namespace}:{head}", *(part.rstrip("]") for part in parts)):
        found = _child(node, part)
        if found is None:
            break
        node, line = found
    return line


def _child(node: Any, part: str) -> tuple[Any, int] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == part:
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
        item = node.value[int(part)]
        return item, item.start_mark.line + 1
    return None


@dataclass(frozen=True)
class ChangedSetting:
    """A setting that differs from the base's; `value` is the new one as text."""

    key: str
    value: str
    line: int


def changed_settings(before: Stack | None, after: Stack) -> tuple[ChangedSetting, ...]:
    """Return the settings of `after` that are new or have another value than in `before`."""
    old = _values(before.config) if before is not None else {}
    found = []
    for key, value in _values(after.config).items():
        if key not in old:
            found.append(ChangedSetting(key, _text(value), line_of(after.path, key)))
        elif old[key] != value:
            for path in _paths(old[key], value):
                full = key + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
                found.append(ChangedSetting(full, _text(_at(value, path)), line_of(after.path, full)))
    return tuple(found)


def cause(changed: tuple[ChangedSetting, ...], message: str, *, only: bool) -> ChangedSetting | None:
    """Return the changed setting whose value, or words of whose key, the `message` contains.

    With `only`, nothing but settings changed: if only one did, it is the cause of every message.
    """
    for setting in changed:
        words = re.findall(r"[A-Z]?[a-z]+", setting.key.rpartition(".")[2].rpartition(":")[2])
        named = [word for word in words if len(word) >= _MIN_SHARED and word.lower() in message.lower()]
        value = setting.value
        if "".join(words).lower() in message.lower() or (
            named and value and re.search(rf"(?<![\w.]){re.escape(value)}(?![\w])", message)
        ):
            return setting
    return changed[0] if only and len(changed) == 1 else None


def _values(config: Mapping[str, str]) -> dict[str, Any]:
    return {key: _decoded(value) for key, value in config.items()}


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _paths(old: Any, new: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the paths at which `new` differs from `old`: of changed leaves if both are objects, or lists."""
    trees = (dict, list)
    if type(old) is type(new) and isinstance(new, trees):
        yield from differences(old, new)
    else:
        yield ()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return ""
    return value


def places(text: str) -> Iterator[tuple[str, int]]:
    """Yield every ``file.py:line`` in `text`."""
    for match in re.finditer(r"(?P<file>[\w./-]+\.(?:py|ya?ml)):(?P<line>\d+)", text):
        yield match["file"], int(match["line"])
