"""Functions without a model: check the arguments and generate a result from the declared type.

In a preview before the update that first makes a call, texts in the result are a marker that the engine
treats as unknown in a resource's inputs.
Numbers, flags and list lengths are generated in a preview too, because programs compute with them. Equal
arguments give equal results.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final

from rehearsal.providers.outputs import Place, make_up
from rehearsal.providers.schema import (
    Field,
    ListOf,
    Type,
    declared_properties,
    module_of,
    resolve,
    sdk_module,
)
from rehearsal.providers.validation import Problem, Rules, check_value, problem

# One of the markers for unknown values of Pulumi's protocol (``UnknownBoolValue`` in
# ``sdk/go/common/resource/plugin/rpc.go``): engines read it as unknown, and the Python SDK, which only knows
# the one for texts, passes it on unchanged.
UNKNOWN_TEXT: Final = "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7"
_ARGUMENT: Final = re.compile(r"__args__\['(\w+)'\] = (\w+)")


@dataclass(frozen=True)
class DeclaredFunction:
    """One function of an SDK: the class of its result, and its arguments by their names on the wire."""

    token: str
    result: type
    function: Any

    @cached_property
    def arguments(self) -> dict[str, Type]:
        source = inspect.getsource(self.function)
        annotations = self.function.__annotations__
        namespace = self.function.__globals__
        return {
            name: resolve(annotations.get(parameter, Any), namespace)
            for name, parameter in _ARGUMENT.findall(source)
        }

    def problems(self, args: Mapping[str, Any], rules: Rules) -> Iterator[Problem]:
        """Yield arguments that the function does not declare, or whose type differs."""
        for name, value in args.items():
            if (declared := self.arguments.get(name)) is None:
                known = ", ".join(sorted(self.arguments)) or "none"
                yield problem((name,), f"unknown argument; {self.token} takes: {known}")
            elif value is not None:
                yield from check_value(declared, value, rules, (name,))

    def returns(self, args: Mapping[str, Any], place: Place, *, preview: bool) -> dict[str, Any]:
        """Return a result: properties named like an argument have its value, the others are generated."""
        seed = f"{self.token}|{json.dumps(dict(args), sort_keys=True, default=str)}"
        found: dict[str, Any] = {}
        for _, name, getter in declared_properties(self.result):
            field = Field(name, getter, False)
            if args.get(name) is not None:
                found[name] = args[name]
            elif not field.optional:
                made = make_up(field.type, name, f"{seed}/{name}", place, 0)
                if made == [] and isinstance(field.type, ListOf):  # programs read the first item
                    made = [make_up(field.type.element, name, f"{seed}/{name}[0]", place, 1)]
                found[name] = _unknown(made) if preview else made
        return found


def _unknown(value: Any) -> Any:
    match value:
        case str():
            return UNKNOWN_TEXT
        case dict():
            return {key: _unknown(item) for key, item in value.items()}
        case list():
            return [_unknown(item) for item in value]
        case _:
            return value


@cache
def declared_function(token: str) -> DeclaredFunction | None:
    """Return the function of a token such as ``gcp:compute/getImage:getImage``; None if no SDK has it."""
    if token.count(":") != 2 or (module := module_of(token)) is None:
        return None
    try:
        holder = sdk_module(module)
    except ModuleNotFoundError:
        return None
    name = token.rsplit(":", 1)[1]
    result = getattr(holder, f"{name[0].upper()}{name[1:]}Result", None)
    if not isinstance(result, type):
        return None
    functions = sys.modules[result.__module__]
    function = getattr(functions, result.__module__.rsplit(".", 1)[-1], None)
    return DeclaredFunction(token, result, function) if inspect.isfunction(function) else None
