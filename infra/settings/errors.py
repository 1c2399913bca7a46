"""Errors of a stack file, each with its key, its value and the remedy."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

SHOWN = 60  # maximum length of a wrong value in a message


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """One wrong setting: its full key, its value, and the remedy."""

    key: str
    value: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.key}{self.value}\n      {self.remedy}"


class SettingsError(Exception):
    """All problems of one stack file in one text."""

    def __init__(self, stack: str, found: Sequence[SettingProblem]) -> None:
        self.stack = stack
        self.problems = tuple(sorted(found, key=lambda problem: problem.key))
        count = f"{len(found)} settings are" if len(found) > 1 else "one setting is"
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        super().__init__(
            f'stack "{stack}": {count} wrong in stacks/Pulumi.{stack}.yaml, and nothing was changed{lines}'
        )


def setting_problems(error: ValidationError, model: type[BaseModel]) -> list[SettingProblem]:
    """Translate pydantic's errors about `model` into setting problems."""
    return [_setting_problem(details, model) for details in error.errors(include_url=False)]


def _setting_problem(details: ErrorDetails, model: type[BaseModel]) -> SettingProblem:
    location = details["loc"]
    key = format_key(location)
    parents, field = _walk(model, location)
    wanted = f": {field.description}" if field is not None and field.description else ""
    match details["type"]:
        case "missing":
            return SettingProblem(key, "", f"is missing{wanted}{_members(field)}")
        case "extra_forbidden":
            return SettingProblem(
                key, _shown(details["input"]), _unknown(str(location[-1]), parents, len(location) == 1)
            )
        case "value_error":
            return SettingProblem(key, "", details["msg"].removeprefix("Value error, "))
        case "enum":
            return SettingProblem(key, _shown(details["input"]), f"{_lower(details['msg'])}{wanted}")
        case "string_pattern_mismatch":
            pattern = (details.get("ctx") or {}).get("pattern", "")
            return SettingProblem(
                key, _shown(details["input"]), f"does not have the right form{wanted or f': {pattern}'}"
            )
        case _:
            return SettingProblem(key, _shown(details["input"]), f"{_lower(details['msg'])}{wanted}")


def format_key(location: Sequence[int | str]) -> str:
    """Format a key as in the stack file: `kingdom:workload.api.maxReplicas`, `gcp:project`."""
    head, *rest = map(str, location)
    if head.endswith(":"):
        return head + ".".join(rest)
    return f"kingdom:{head}" + "".join(f".{part}" for part in rest)


def _walk(
    model: type[BaseModel], location: Sequence[int | str]
) -> tuple[type[BaseModel] | None, FieldInfo | None]:
    """Return the model that should have the last part of `location`, and its field if it has one."""
    owner: type[BaseModel] | None = model
    field: FieldInfo | None = None
    parts = [part for part in map(str, location) if part != "[key]"]
    for index, part in enumerate(parts):
        if owner is None:
            break
        field = fields_by_alias(owner).get(part)
        if field is None or index == len(parts) - 1:
            break
        annotation = field.annotation
        if get_origin(annotation) is dict:  # the next part is a free key; the rest belongs to its value
            value = get_args(annotation)[1]
            if len(parts) > index + 2 and isinstance(value, type) and issubclass(value, BaseModel):
                return _walk(value, parts[index + 2 :])
            return None, field
        owner = _section(annotation)
    return owner, field


def _section(annotation: Any) -> type[BaseModel] | None:
    """Return the model of a section, also of an optional one."""
    for item in (annotation, *get_args(annotation)):
        if isinstance(item, type) and issubclass(item, BaseModel):
            return item
    return None


def fields_by_alias(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Return the fields of `model` by their names in a stack file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _members(field: FieldInfo | None) -> str:
    """Return the required keys of a missing section."""
    section = None if field is None else _section(field.annotation)
    return "" if section is None else f" (an object with {', '.join(fields_by_alias(section))})"


def _unknown(name: str, owner: type[BaseModel] | None, top: bool) -> str:
    known = [] if owner is None else [alias for alias in fields_by_alias(owner) if not alias.endswith(":")]
    close = difflib.get_close_matches(name, known, n=1)
    prefix = "kingdom:" if top else ""
    hint = f"did you mean {prefix}{close[0]}? " if close else ""
    return f"is not a setting; {hint}known here: {', '.join(prefix + alias for alias in known)}"


def cross_field_error(key: str, value: object, remedy: str) -> SettingProblem:
    """Return a problem of a setting that is valid by itself but inconsistent with others."""
    return SettingProblem(f"kingdom:{key}", _shown(value), remedy)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f" = {text if len(text) <= SHOWN else text[: SHOWN - 1] + '…'}"


def _lower(message: str) -> str:
    """Return Pydantic's message with a lower-case first letter, to follow the key."""
    return message[0].lower() + message[1:] if message else message
