"""The project on disk: ``Pulumi.yaml`` and the stack files beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from rehearsal.errors import InputError

STATE_FOLDER: Final = ".rehearsal"
# Configuration of the rehearsal itself: the program never sees it.
_OWN_NAMESPACE: Final = "rehearsal"
POLICY_NAMESPACE: Final = "policies:"


@dataclass(frozen=True)
class Stack:
    """One environment: `config` maps full keys to strings, structured values as JSON.

    `machine` is the value of ``rehearsal:machine``: where it is present, this stack becomes processes here.
    """

    name: str
    path: Path
    config: dict[str, str]
    machine: dict[str, Any] | None


@dataclass(frozen=True)
class Project:
    """The project at `root`; `main` is the folder of the program, `stacks` that of the stack files."""

    root: Path
    name: str
    main: Path
    stacks: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Project:
        """The project that holds the folder `start`. Raises InputError."""
        start = (start or Path.cwd()).resolve()
        for folder in (start, *start.parents):
            if (folder / "Pulumi.yaml").is_file():
                return cls.at(folder)
        raise InputError(
            f"there is no Pulumi.yaml in {start} or above it", remedy="Run this within the project's folder."
        )

    @classmethod
    def at(cls, root: Path) -> Project:
        """The project whose ``Pulumi.yaml`` is in the folder `root` itself. Raises InputError."""
        path = root / "Pulumi.yaml"
        data = read_yaml(path)
        problems = []
        name, main, stacks = data.get("name"), data.get("main", "."), data.get("stackConfigDir", ".")
        if not isinstance(name, str) or not name:
            problems.append("name: must be the project's name")
        if not isinstance(main, str) or not (root / main / "__main__.py").is_file():
            problems.append(f"main: must be the folder of the program; {main!r} holds no __main__.py")
        if not isinstance(stacks, str) or not (root / stacks).is_dir():
            problems.append(f"stackConfigDir: must be the folder of the stack files; {stacks!r} is none")
        if problems:
            raise InputError(f"{path} cannot be used:", details=problems)
        return cls(root, str(name), root / str(main), root / str(stacks))

    def stack_names(self) -> list[str]:
        """Every environment there is a file for, in the order in which a change travels through them."""
        files = [path.name for path in self.stacks.glob("Pulumi.*.yaml") if path.is_file()]
        names = [name[len("Pulumi.") : -len(".yaml")] for name in files]
        order = {"local": 0, "dev": 1, "staging": 2, "prod": 3}
        return sorted(names, key=lambda name: (order.get(name, len(order)), name))

    def stack(self, name: str) -> Stack:
        """The environment `name`. Raises InputError, which lists the ones there are."""
        path = self.stacks / f"Pulumi.{name}.yaml"
        if not path.is_file():
            raise InputError(
                f"there is no stack {name!r}: {path.relative_to(self.root)} does not exist",
                remedy=f"The stacks are: {', '.join(self.stack_names()) or '(none)'}.",
            )
        data = read_yaml(path)
        config = data.get("config") or {}
        if not isinstance(config, dict):
            raise InputError(f"{path}: config must be a mapping, not {_kind(config)}")
        bad = [str(key) for key in config if not isinstance(key, str) or key.count(":") != 1]
        sealed = [str(key) for key, value in config.items() if _is_sealed(value)]
        if bad or sealed:
            raise InputError(
                f"{path} cannot be used:",
                details=[f"config.{key}: a key has the form namespace:name" for key in bad]
                + [f"config.{key}: encrypted configuration cannot be opened here" for key in sealed],
            )
        machine = config.pop(f"{_OWN_NAMESPACE}:machine", None)
        if machine is not None and not isinstance(machine, dict):
            raise InputError(f"{path}: config.{_OWN_NAMESPACE}:machine must be a mapping, not {machine!r}")
        unknown = [key for key in config if key.startswith(f"{_OWN_NAMESPACE}:")]
        if unknown:
            raise InputError(
                f"{path} cannot be used:",
                details=[f"config.{key}: unknown; the rehearsal has one key, machine" for key in unknown],
            )
        return Stack(name, path, {key: _text(value) for key, value in config.items()}, machine)

    def state_folder(self, stack: str) -> Path:
        return self.root / STATE_FOLDER / stack


def policy_config(config: Mapping[str, str]) -> dict[str, str]:
    """The keys of `config` that configure the policy pack: those of the namespace ``policies``."""
    return {key: value for key, value in config.items() if key.startswith(POLICY_NAMESPACE)}


def with_policy_config(config: Mapping[str, str], policies: Mapping[str, str] | None) -> dict[str, str]:
    """`config` with the keys of the policy pack taken from `policies` instead, unless that is None."""
    if policies is None:
        return dict(config)
    kept = {key: value for key, value in config.items() if not key.startswith(POLICY_NAMESPACE)}
    return kept | policy_config(policies)


class _Unique(yaml.constructor.SafeConstructor):
    """Refuses a key that stands twice, as Pulumi's own reader does: which of the two is meant?"""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, yaml.Node] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if (first := seen.get(key.value)) is not None:
                    line = first.start_mark.line + 1
                    problem = f"the key {key.value!r} stands in line {line} already"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen[key.value] = key
        return super().construct_mapping(node, deep)


_Loader = type("_Loader", (_Unique, getattr(yaml, "CSafeLoader", yaml.SafeLoader)), {})


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; an empty one in an empty file. Raises InputError, with line and column."""
    try:
        data = yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506  (it is a safe loader)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise InputError(f"{path}{where}: not valid YAML: {getattr(error, 'problem', error)}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise InputError(f"{path} must hold a mapping, not {_kind(data)}")
    return data


def _kind(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "a text", bool: "a truth value"}
    return names.get(type(value), f"{value!r}")


def _is_sealed(value: Any) -> bool:
    if isinstance(value, dict):
        return set(value) == {"secure"} or any(_is_sealed(item) for item in value.values())
    return isinstance(value, list) and any(_is_sealed(item) for item in value)


def _text(value: Any) -> str:
    """A configuration value as the Pulumi CLI hands it to a program."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case None:
            return ""
        case int() | float():
            return str(value)
        case _:
            # Sorted and without blanks, as Go writes it: a program that goes through the keys in order
            # declares the same under both engines.
            return json.dumps(value, default=str, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
