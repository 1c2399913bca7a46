"""Resource types, read from the classes of the installed Pulumi SDKs.

An SDK is generated from its provider's schema: `XArgs` classes declare the inputs (`pulumi.getter` names,
annotations, docstrings; required properties are keyword-only parameters without a default), resource classes
declare the outputs. Annotations are resolved on first use, because a type can have a thousand nested classes.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import threading
import types
import typing
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final, ForwardRef, Literal, get_args, get_origin

import pulumi

from rehearsal.providers.constraints import docstring_enums

_NAME_ATTRIBUTE: Final = "_pulumi_name"  # set by the public `pulumi.getter` decorator
_SDK: Final = {
    "gcp": "pulumi_gcp",
    "kubernetes": "pulumi_kubernetes",
    "mongodbatlas": "pulumi_mongodbatlas",
    "cloudflare": "pulumi_cloudflare",
    "random": "pulumi_random",
}
_IMPORTING: Final = threading.Lock()
_IMPORTED: Final[set[str]] = set()  # modules whose import is complete
# Folders of the Kubernetes SDK by API group, where the folder is not the first label of the group.
_KUBERNETES_GROUPS: Final = {"helm.sh": "helm", "kustomize": "kustomize", "yaml": "yaml"}


@dataclass(frozen=True)
class Scalar:
    """``string``, ``integer``, ``number``, ``boolean``, or ``any`` (which accepts every value)."""

    kind: str


@dataclass(frozen=True)
class Choice:
    """One of a closed set of values."""

    values: tuple[str | int | float | bool, ...]


@dataclass(frozen=True)
class ListOf:
    element: Type


@dataclass(frozen=True)
class MapOf:
    element: Type


@dataclass(frozen=True)
class OneOf:
    options: tuple[Type, ...]


class ObjectType:
    """An object with declared fields, resolved on first use."""

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.name = cls.__name__.removesuffix("Args")

    @cached_property
    def fields(self) -> dict[str, Field]:
        required = _required_parameters(self.cls)
        return {
            name: Field(name, prop, python_name in required)
            for python_name, name, prop in declared_properties(self.cls)
        }


Type = Scalar | Choice | ListOf | MapOf | OneOf | ObjectType


@dataclass
class Field:
    """One declared property: its camelCase `name`, its type, and whether it is `required`."""

    name: str
    getter: property
    required: bool
    _cache: dict[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def type(self) -> Type:
        function = self._function
        return resolve(function.__annotations__.get("return", Any), function.__globals__)

    @cached_property
    def optional(self) -> bool:
        """Whether the annotation admits None; such an output may be absent."""
        return _admits_none(self._function.__annotations__.get("return", Any))

    @property
    def doc(self) -> str:
        return self._function.__doc__ or ""

    @cached_property
    def closed_set(self) -> tuple[str, ...]:
        """The values that the documentation lists as the only ones; empty if it lists none."""
        return docstring_enums.closed_set(self.doc)

    @property
    def _function(self) -> types.FunctionType:
        # A deprecated property is wrapped by a function of another module, with other globals.
        function = inspect.unwrap(self.getter.fget) if self.getter.fget else None
        assert isinstance(function, types.FunctionType)
        return function


ANY: Final = Scalar("any")
_SCALARS: Final[dict[Any, Scalar]] = {
    str: Scalar("string"),
    int: Scalar("integer"),
    float: Scalar("number"),
    bool: Scalar("boolean"),
}


@dataclass(frozen=True)
class ResourceType:
    """The declared inputs and outputs of one resource type token."""

    token: str
    cls: type
    args: type

    @cached_property
    def inputs(self) -> ObjectType:
        return _object(self.args)

    @cached_property
    def outputs(self) -> dict[str, Field]:
        return {
            name: Field(name, prop, False)
            for _, name, prop in declared_properties(self.cls)
            if name not in ("id", "urn")
        }

    @cached_property
    def secret_outputs(self) -> frozenset[str]:
        """Outputs that the SDK marks as secret for the engine (``additional_secret_outputs``)."""
        path = sys.modules[self.cls.__module__].__file__
        text = Path(path).read_text(encoding="utf-8") if path else ""
        found = re.search(r"additional_secret_outputs=\[([^\]]*)\]", text)
        return frozenset(re.findall(r'"([^"]+)"', found[1])) if found else frozenset()


@cache
def resource_type(token: str) -> ResourceType | None:
    """Return the type of a token such as ``gcp:redis/instance:Instance``, or None if no SDK declares it."""
    cls = _resource_class(token)
    if cls is None:
        return None
    namespace = vars(sys.modules[cls.__module__])
    for name in (f"{cls.__name__}InitArgs", f"{cls.__name__}Args"):
        if isinstance(args := namespace.get(name), type):
            return ResourceType(token, cls, args)
    return None


def resolve_fields(declared: Iterable[Type]) -> None:
    """Resolve the fields of `declared`, and of all types in them, now instead of on first use."""
    pending = list(declared)
    resolved: set[ObjectType] = set()
    while pending:
        match pending.pop():
            case ListOf(element) | MapOf(element):
                pending.append(element)
            case OneOf(options):
                pending += options
            case ObjectType() as found if found not in resolved:
                resolved.add(found)
                pending += [field.type for field in found.fields.values()]


@cache
def provider_type(package: str) -> ResourceType | None:
    """Return the configuration of `package`'s provider, declared like a resource."""
    module = _imported(_SDK[package])
    cls, args = getattr(module, "Provider", None), getattr(module, "ProviderArgs", None)
    return ResourceType(f"pulumi:providers:{package}", cls, args) if cls and args else None


def module_of(token: str) -> str | None:
    """Import the SDK module that contains the class of `token`, and return it."""
    package, module, _ = token.split(":")
    if (sdk := _SDK.get(package)) is None:
        return None
    if package == "kubernetes":
        group, _, version = module.partition("/")
        folder = _KUBERNETES_GROUPS.get(group, group.split(".")[0])
        return f"{sdk}.{folder}.{version.replace('/', '.')}" if version else f"{sdk}.{folder}"
    folder = module.split("/")[0]
    return sdk if folder in ("index", "") else f"{sdk}.{folder}"


def _resource_class(token: str) -> type | None:
    if token.count(":") != 2 or (module := module_of(token)) is None:
        return None
    try:
        holder = _imported(module)
    except ModuleNotFoundError:
        return None
    cls = getattr(holder, token.rsplit(":", 1)[1], None)
    if not (isinstance(cls, type) and issubclass(cls, pulumi.Resource)):
        return None
    # The Kubernetes SDK has a class per served version; a group of the same first label is not it.
    declared = getattr(cls, "pulumi_type", token)
    return cls if declared == token else None


def sdk_module(module: str) -> types.ModuleType:
    """Import a module of an SDK. Raises ModuleNotFoundError."""
    return _imported(module)


def _imported(module: str) -> types.ModuleType:
    if module in _IMPORTED:
        return sys.modules[module]
    # Serialized for two reasons. Modules of deprecated types warn on import, and warning filters are global
    # to the process. The SDKs load modules on first access, and Python 3.11 exposes a partially loaded module
    # to other threads.
    with _IMPORTING, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = importlib.import_module(module)
        getattr(found, "__all__", None)
        _IMPORTED.add(module)
        return found


@cache
def declared_properties(cls: type) -> tuple[tuple[str, str, property], ...]:
    """Return (python name, pulumi name, property) of all properties declared with ``@pulumi.getter``."""
    found: dict[str, tuple[str, str, property]] = {}
    for base in reversed(cls.__mro__):
        # A copy, because other threads that read the annotations of the class add to its attributes.
        for python_name, value in list(vars(base).items()):
            if isinstance(value, property) and (name := getattr(value.fget, _NAME_ATTRIBUTE, None)):
                found[name] = (python_name, name, value)
    return tuple(found.values())


def _required_parameters(cls: type) -> frozenset[str]:
    init = cls.__init__  # type: ignore[misc]
    while hasattr(init, "__wrapped__"):
        init = init.__wrapped__
    code = getattr(init, "__code__", None)
    if code is None:
        return frozenset()
    start = code.co_argcount
    names = code.co_varnames[start : start + code.co_kwonlyargcount]
    return frozenset(names) - frozenset(init.__kwdefaults__ or {})


@cache
def _object(cls: type) -> ObjectType:
    return ObjectType(cls)


def resolve(annotation: Any, namespace: Mapping[str, Any]) -> Type:
    """Return the type of `annotation`; ``Input``, ``Output``, ``Optional`` are unwrapped."""
    options: list[Type] = []
    for option in _options(annotation, namespace):
        if option not in options:
            options.append(option)
    if not options:
        return ANY
    if len(options) == 1:
        return options[0]
    # `Union[str, SomeEnum]` is how the SDKs write an enumeration.
    choices = [option for option in options if isinstance(option, Choice)]
    if len(choices) == 1 and all(option in (choices[0], Scalar("string")) for option in options):
        return choices[0]
    return ANY if ANY in options else OneOf(tuple(options))


def _options(annotation: Any, namespace: Mapping[str, Any]) -> typing.Iterator[Type]:
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        if not _is_alternative_spelling(annotation):
            yield from _options(_lookup(annotation, namespace), namespace)
        return
    if annotation is None or annotation is types.NoneType:
        return
    origin = get_origin(annotation)
    if origin is typing.Union or origin is types.UnionType:
        for argument in get_args(annotation):
            yield from _options(argument, namespace)
    elif origin is Literal:
        yield Choice(get_args(annotation))
    elif origin is not None and isinstance(origin, type) and issubclass(origin, pulumi.Output):
        # `Input[T]` is a union of T, Awaitable[T] and Output[T]; an output is annotated with Output[T] only.
        yield from _options(get_args(annotation)[0], namespace)
    elif origin in (Sequence, list):
        yield ListOf(resolve(get_args(annotation)[0], namespace))
    elif origin in (Mapping, dict):
        yield MapOf(resolve(get_args(annotation)[1], namespace))
    elif origin is not None:
        return  # Awaitable[T], a member of Input[T]
    elif annotation in _SCALARS:
        yield _SCALARS[annotation]
    elif isinstance(annotation, type) and issubclass(annotation, Enum):
        yield Choice(tuple(member.value for member in annotation))
    elif isinstance(annotation, type) and issubclass(annotation, pulumi.Resource):
        yield Scalar("string")  # a resource is passed as its id
    elif isinstance(annotation, type) and declared_properties(annotation):
        yield _object(annotation)
    else:
        yield ANY


def _is_alternative_spelling(name: str) -> bool:
    # `Output[T]` is an unresolved member of `pulumi.Input`; `XArgsDict` is the typed dict form of `XArgs`.
    return name.endswith("ArgsDict") or name == "Output[T]"


def _lookup(name: str, namespace: Mapping[str, Any]) -> Any:
    first, *rest = name.split(".")
    value = namespace.get(first, Any)
    for part in rest:
        value = getattr(value, part, Any)
    return value


def _admits_none(annotation: Any) -> bool:
    if annotation in (None, types.NoneType, Any):
        return True
    origin = get_origin(annotation)
    if origin is typing.Union or origin is types.UnionType:
        return any(_admits_none(argument) for argument in get_args(annotation))
    if origin is not None and isinstance(origin, type) and issubclass(origin, pulumi.Output):
        return _admits_none(get_args(annotation)[0])
    return False
