"""Project files: ``Pulumi.yaml`` and the stack files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rehearsal.engine.state.secrets import Crypter, given_passphrase, is_salt
from rehearsal.errors import InputError
from rehearsal.pulumi import cli_version
from rehearsal.pulumi.config import merged as merge_config
from rehearsal.pulumi.project_schema import schema_problems
from rehearsal.pulumi.yaml_reader import kind_of, read_yaml

STATE_FOLDER: Final = ".rehearsal"
_MAX_NAME: Final = 100  # characters
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+")
FILES: Final = ("Pulumi.json", "Pulumi.yaml", "Pulumi.yml")  # names of a project file, the first one counts
# Configuration of kingdom itself. The program receives `machine`, as from the Pulumi CLI: the port of the
# edge is part of every URL.
_OWN_NAMESPACE: Final = "rehearsal"
POLICY_NAMESPACE: Final = "policies:"

# Secrets providers with a key of their own (`pkg/secrets/cloud/manager.go`); kingdom does not call them.
_KEY_SERVICES: Final = ("awskms", "azurekeyvault", "gcpkms", "hashivault")


def _uses_key_service(provider: Any) -> bool:
    """Return whether a `secretsprovider` is the URL of a key, so that `encryptionsalt` has no effect."""
    return str(provider or "") not in ("", "default", "passphrase")


def _encryption_problems(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the keys of a stack file that describe its encryption."""
    for key in ("secretsprovider", "encryptedkey", "encryptionsalt"):
        if isinstance(data.get(key), (dict, list)):
            yield f"{key}: must be text, not {kind_of(data[key])}"
            return
    provider = data.get("secretsprovider")
    if _uses_key_service(provider):
        if str(provider).partition("://")[0] not in _KEY_SERVICES or "://" not in str(provider):
            services = ", ".join(f"{name}://" for name in _KEY_SERVICES)
            yield f"secretsprovider: must be passphrase, default or a URL with {services}, not {provider!r}"
    elif (salt := data.get("encryptionsalt")) not in (None, "") and not is_salt(str(salt)):
        yield "encryptionsalt: must have the form v1:<salt>:<encrypted text> of `pulumi stack init`"


# Options of the runtime with the values that the Python language host accepts (`parseOptions` in
# ``sdk/python/cmd/pulumi-language-python/main.go``); none listed for any text.
_PYTHON_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "virtualenv": (),
    "typechecker": ("mypy", "pyright"),
    "toolchain": ("pip", "poetry", "uv"),
}


def _option_problems(options: Any) -> list[str]:
    """Return what is wrong with the options of the runtime; unknown options are ignored, as by the CLI."""
    if not isinstance(options, dict):
        return [f"runtime.options: must be a mapping, not {kind_of(options)}"]
    problems = []
    for key, values in _PYTHON_OPTIONS.items():
        value = options.get(key, values[0] if values else "")
        if not isinstance(value, str):
            problems.append(f"runtime.options.{key}: must be text, not {kind_of(value)}")
        elif values and value not in values:
            problems.append(f"runtime.options.{key}: must be one of {', '.join(values)}, not {value!r}")
    return problems


def _plugin_problems(root: Path, plugins: Any) -> Iterator[str]:
    """Yield what is wrong with the plugins that the CLI would load from folders of the project at `root`.

    The checks are those of `parsePluginOpts` in ``pkg/resource/plugin/host.go``; kingdom starts no plugin.
    """
    if not isinstance(plugins, dict):
        yield f"plugins: must be a mapping, not {kind_of(plugins)}"
        return
    for kind in ("providers", "languages", "analyzers"):
        listed = plugins.get(kind) or []
        if not isinstance(listed, list):
            yield f"plugins.{kind}: must be a list, not {kind_of(listed)}"
            continue
        for index, plugin in enumerate(listed):
            where = f"plugins.{kind}[{index}]"
            if not isinstance(plugin, dict):
                yield f"{where}: must be a mapping with name and path, not {kind_of(plugin)}"
                continue
            name, path = plugin.get("name"), plugin.get("path") or ""
            if not isinstance(name, str) or not name:
                yield f"{where}.name: must be the plugin's name"
            if not isinstance(path, str) or not (root / path).is_dir():
                yield f"{where}.path: must be a folder, relative to the project; {path!r} is not one"


@dataclass(frozen=True)
class Stack:
    """Stack with its configuration: `config` maps full keys to strings, structured values as JSON.

    `machine` is the value of ``rehearsal:machine``: if present, the stack runs as processes on this machine.
    `secrets` are the keys with an encrypted value; those in `unreadable` could not be decrypted, and
    `decrypted` are the texts of the others. `references` is the value of ``rehearsal:stackReferences``:
    outputs of stacks that kingdom has no state of. `empty` are the keys that the stack file has without a
    value.
    """

    name: str
    path: Path
    config: dict[str, str]
    machine: dict[str, Any] | None
    secrets: frozenset[str] = frozenset()
    unreadable: frozenset[str] = frozenset()
    decrypted: frozenset[str] = frozenset()
    references: Any = None
    empty: tuple[str, ...] = ()

    def empty_keys(self) -> str:
        """Return a warning about keys without a value, as the CLI has it; "" without such keys."""
        if not self.empty:
            return ""
        keys = ", ".join(self.empty)
        return (
            f"{self.path.name}: no value for {keys}: treated as an empty text, and in a future version of"
            ' `pulumi` as null; set "" to avoid this warning'
        )


@dataclass(frozen=True)
class Project:
    """The project at `root`; `main` is the folder of the program, `stacks` that of the stack files.

    `program` is what is run: the folder `main`, or one file in it. `file` is the project file, and `config`
    what it declares about configuration. `refresh` is whether each operation refreshes the state first
    (``options.refresh: always``). `virtualenv` is the virtual environment of the program, if it names one;
    `typechecker` is ``mypy``, ``pyright`` or "". `runtime` is ``python``, or "" if the project names none: no
    program runs then. `required_version` is the range of versions of the CLI that the project requires.
    """

    root: Path
    name: str
    main: Path
    stacks: Path
    program: Path | None = None
    file: Path = Path("Pulumi.yaml")
    config: Mapping[str, Any] = field(default_factory=dict)
    refresh: bool = False
    virtualenv: Path | None = None
    typechecker: str = ""
    runtime: str = "python"
    required_version: str = ""

    @classmethod
    def find(cls, start: Path | None = None) -> Project:
        """Return the project that contains the folder `start`. Raises InputError."""
        start = (start or Path.cwd()).resolve()
        for folder in (start, *start.parents):
            if any((folder / name).is_file() for name in FILES):
                return cls.at(folder)
        raise InputError(
            f"Pulumi.yaml not found in {start} or above it",
            remedy="Run this within the project's folder.",
        )

    @classmethod
    def at(cls, root: Path) -> Project:
        """Return the project whose ``Pulumi.yaml`` is in the folder `root` itself. Raises InputError."""
        path = next((root / name for name in FILES if (root / name).is_file()), root / "Pulumi.yaml")
        data = read_yaml(path)
        problems = []
        name, main, stacks = data.get("name"), data.get("main") or ".", data.get("stackConfigDir") or "."
        config = data.get("config") or {}
        if isinstance(config, str):  # an old spelling of stackConfigDir
            if "stackConfigDir" in data:
                problems.append("config: it names a folder, and so does stackConfigDir; keep the latter")
            stacks, config = config, dict[str, Any]()
        if not isinstance(name, str) or not name:
            problems.append("name: must be the project's name")
        elif not _NAME.fullmatch(name):
            problems.append("name: may only have letters, digits, hyphens, underscores and periods")
        elif len(name) > _MAX_NAME:
            problems.append(f"name: may have at most {_MAX_NAME} characters, not {len(name)}")
        runtime = data.get("runtime")
        language = runtime.get("name") if isinstance(runtime, dict) else runtime
        if language not in (None, "", "python"):
            problems.append(f"runtime: kingdom runs Python programs, not {language!r}")
        python = (runtime.get("options") if isinstance(runtime, dict) else None) or {}
        problems += _option_problems(python)
        if not isinstance(config, dict):
            problems.append(f"config: must be a mapping, not {kind_of(config)}")
        problems += schema_problems(data)
        problems += _plugin_problems(root, data.get("plugins") or {})
        program = root / str(main)
        if program.is_dir() and not (program / "__main__.py").is_file():
            problems.append(f"main: must be the folder of the program; {main!r} holds no __main__.py")
        elif not program.is_dir() and not program.is_file():
            problems.append(f"main: must be a folder with __main__.py, or a Python file; {main!r} is neither")
        # The folder may be absent, as for the CLI: its stacks have no configuration.
        if not isinstance(stacks, str) or ((root / stacks).exists() and not (root / stacks).is_dir()):
            problems.append(f"stackConfigDir: must be the folder of the stack files; {stacks!r} is not one")
        options = data.get("options") or {}
        if not isinstance(options, dict):
            problems.append(f"options: must be a mapping, not {kind_of(options)}")
        else:
            problems += [f"options.{key}: unknown; the key is refresh" for key in options if key != "refresh"]
            if options.get("refresh", "always") != "always":
                problems.append(f"options.refresh: must be `always` or absent, not {options['refresh']!r}")
        required = data.get("requiredPulumiVersion")
        if required is not None and (
            isinstance(required, bool) or not isinstance(required, str | int | float)
        ):
            problems.append(f"requiredPulumiVersion: must be text, not {kind_of(required)}")
        if problems:
            raise InputError(f"{path} cannot be used:", details=problems)
        folder = program if program.is_dir() else program.parent
        refresh = "refresh" in options
        environment = root / python["virtualenv"] if python.get("virtualenv") else None
        return cls(
            root=root,
            name=str(name),
            main=folder,
            stacks=root / str(stacks),
            program=program,
            file=path,
            config=config,
            refresh=refresh,
            virtualenv=environment,
            typechecker=python.get("typechecker", ""),
            runtime=language or "",
            required_version="" if required is None else str(required),
        )

    def require_cli_version(self) -> None:
        """Raise InputError if the project requires another version of the Pulumi CLI than kingdom mirrors."""
        try:
            cli_version.require(self.required_version)
        except cli_version.VersionRangeError as error:
            raise InputError(f"{self.file}: requiredPulumiVersion: {error}") from None

    def missing_virtualenv(self) -> str:
        """Return a warning if the virtual environment does not exist; "" if it does, or none is named.

        The CLI refuses to run such a program. `kingdom` runs it with the packages of its own interpreter.
        """
        if self.virtualenv is None or (self.virtualenv / "bin" / "python").is_file():
            return ""
        return (
            f"{self.file.name}: runtime.options.virtualenv: {self.virtualenv} is not a virtual environment;"
            " `pulumi` does not run the program without it"
        )

    def stack_names(self) -> list[str]:
        """Return the stacks that have a file, in the order in which a change is deployed to them."""
        suffix = self.file.suffix
        files = [path.name for path in self.stacks.glob(f"Pulumi.*{suffix}") if path.is_file()]
        names = [name[len("Pulumi.") : -len(suffix)] for name in files]
        order = {"local": 0, "dev": 1, "staging": 2, "prod": 3}
        return sorted(names, key=lambda name: (order.get(name, len(order)), name))

    def stack(self, name: str) -> Stack:
        """Return the stack `name`. Raises InputError, which lists the existing stacks.

        A stack needs no file: without one, ``Pulumi.yaml`` declares its configuration. If other stacks have
        files, a name without a file and without recorded state is treated as misspelled.
        """
        path = self.stack_file(name)
        if path.is_file():
            data = read_yaml(path)
        elif self.stack_names() and not self.state_folder(name).is_dir():
            raise InputError(
                f"unknown stack {name!r}: {path.relative_to(self.root)} does not exist",
                remedy=f"Existing stacks: {', '.join(self.stack_names())}.",
            )
        else:
            data = dict[str, Any]()
        config = data["config"] if data.get("config") is not None else dict[str, Any]()
        if not isinstance(config, dict):
            raise InputError(f"{path}: config must be a mapping, not {kind_of(config)}")
        config = dict(config)
        machine = config.get(f"{_OWN_NAMESPACE}:machine")
        if machine is not None and not isinstance(machine, dict):
            raise InputError(f"{path}: config.{_OWN_NAMESPACE}:machine must be a mapping, not {machine!r}")
        references = config.pop(f"{_OWN_NAMESPACE}:stackReferences", None)
        unknown = [
            key
            for key in config
            if str(key).startswith(f"{_OWN_NAMESPACE}:") and key != f"{_OWN_NAMESPACE}:machine"
        ]
        encryption = list(_encryption_problems(data))
        decrypt = _never if encryption else self._decrypter(data, path)
        merged, problems = merge_config(config, self.config, self.name, decrypt)
        problems += encryption
        problems += [f"config.{key}: unknown; the keys are machine and stackReferences" for key in unknown]
        if data.get("environment"):
            problems.append(
                "environment: environments of Pulumi ESC need Pulumi Cloud, which kingdom does not call; set"
                " their values in config"
            )
        if problems:
            raise InputError(f"{path} cannot be used:", details=problems)
        return Stack(
            name,
            path,
            merged.values,
            machine,
            secrets=merged.secrets,
            unreadable=merged.unreadable,
            decrypted=merged.decrypted,
            references=references,
            empty=merged.empty,
        )

    def stack_file(self, name: str) -> Path:
        """Return the path of the file of the stack `name`, which need not exist."""
        return self.stacks / f"Pulumi.{name}{self.file.suffix}"

    def _decrypter(self, data: dict[str, Any], path: Path) -> Callable[[str], str | None]:
        """Return the decrypter of a stack file, which returns None without a passphrase.

        It does so, too, if the values are encrypted with the key of a key service.
        """
        salt = data.get("encryptionsalt")
        given = given_passphrase()
        if not salt or given is None or _uses_key_service(data.get("secretsprovider")):
            return _never
        crypter = Crypter.open(given, salt, f"{path}: encryptionsalt")

        def decrypt(ciphertext: str) -> str | None:
            try:
                return crypter.decrypt(ciphertext)
            except ValueError as error:
                raise ValueError(f"{error} (encrypted with another passphrase?)") from None

        return decrypt

    def state_folder(self, stack: str) -> Path:
        return self.root / STATE_FOLDER / stack


def _never(ciphertext: str) -> str | None:
    return None


def policy_config(config: Mapping[str, str]) -> dict[str, str]:
    """The keys of `config` that configure the policy pack: those of the namespace ``policies``."""
    return {key: value for key, value in config.items() if key.startswith(POLICY_NAMESPACE)}


def with_policy_config(config: Mapping[str, str], policies: Mapping[str, str] | None) -> dict[str, str]:
    """Return `config` with the keys of the policy pack replaced by `policies`, unless that is None."""
    if policies is None:
        return dict(config)
    others = {key: value for key, value in config.items() if not key.startswith(POLICY_NAMESPACE)}
    return others | policy_config(policies)
