"""`docs/settings.md`: every setting of a stack file, from the models that parse it."""

from collections.abc import Iterator
from typing import Any

from infra.settings import Settings

Schema = dict[str, Any]

LEGIBLE = 45  # maximum characters of a regular expression in the table

HEAD = """# Settings of a stack

Every key of `stacks/Pulumi.<env>.yaml`. All keys are required: without defaults, a stack file describes its
environment completely. Written by `make docs` from `infra/settings/__init__.py`; edit there.

The namespace `rehearsal:` belongs to the rehearsal:
`rehearsal:machine: {edgePort: 8443}` runs the stack as processes on this machine, with its
edge on that port, which is then the port of every URL (`kingdom:edge.port` is not used);
`webApp: mobile/dist/web` serves the web build of the mobile client below `/app/`. Only `local` has it.
"""


def settings_page() -> str:
    """The page as Markdown."""
    schema = Settings.model_json_schema(by_alias=True)
    definitions: dict[str, Schema] = schema["$defs"]
    sections = (_section(name, section, definitions) for name, section in schema["properties"].items())
    return "\n".join([HEAD, *sections]).rstrip() + "\n"


def _section(name: str, section: Schema, definitions: dict[str, Schema]) -> str:
    model = _resolve(section, definitions)
    title = f"## `{name if name.endswith(':') else 'kingdom:' + name}`"
    rows = [f"| `{key}` | {what} | {allowed} |" for key, what, allowed in _rows("", model, definitions)]
    about = str(section.get("description") or model.get("description", ""))
    return "\n".join(
        [title, "", _cell(about), "", "| key | what | allowed |", "| --- | --- | --- |", *rows, ""]
    )


def _rows(prefix: str, model: Schema, definitions: dict[str, Schema]) -> Iterator[tuple[str, str, str]]:
    for name, field in model.get("properties", {}).items():
        yield from _row(f"{prefix}{name}", field, definitions)


def _row(key: str, field: Schema, definitions: dict[str, Schema]) -> Iterator[tuple[str, str, str]]:
    """Yield the row of a plain field, or the rows of an object's fields. NAME stands for an arbitrary key."""
    model = _resolve(field, definitions)
    held = model.get("additionalProperties") or next(iter(model.get("patternProperties", {}).values()), None)
    what = _cell(str(field.get("description") or model.get("description", "")))
    if "properties" in model:
        yield from _rows(f"{key}.", model, definitions)
    elif (section := _nullable(model, definitions)) is not None:
        yield key, what, "object or `null`"
        yield from _rows(f"{key}.", section, definitions)
    elif isinstance(held, dict):
        yield from _row(f"{key}.NAME", {"description": what, **held}, definitions)
    elif model.get("type") == "array" and isinstance(model.get("items"), dict):
        yield from _row(f"{key}[]", {"description": what, **model["items"]}, definitions)
    else:
        yield key, what, _allowed(model)


def _nullable(model: Schema, definitions: dict[str, Schema]) -> Schema | None:
    """Return the object schema of a field that is an object or null; None for any other field."""
    found = [_resolve(choice, definitions) for choice in model.get("anyOf", [])]
    return next((choice for choice in found if "properties" in choice), None)


def _resolve(field: Schema, definitions: dict[str, Schema]) -> Schema:
    """Return the field's schema, with a reference replaced by its definition."""
    reference = field.get("$ref")
    if reference is None:
        return field
    return {**definitions[reference.rsplit("/", 1)[-1]], **{k: v for k, v in field.items() if k != "$ref"}}


def _allowed(model: Schema) -> str:
    """Return the allowed values of a field as text."""
    if "enum" in model:
        return ", ".join(f"`{value}`" for value in model["enum"])
    if "const" in model:
        return f"`{model['const']}`"
    if "anyOf" in model:
        return " or ".join(_allowed(choice) for choice in model["anyOf"])
    kind = {"boolean": "`true` or `false`", "integer": "whole number", "number": "number", "string": "text"}
    words = kind.get(model.get("type", ""), str(model.get("type", "anything")))
    if "minimum" in model and "maximum" in model:
        words += f", {model['minimum']} to {model['maximum']}"
    elif "minimum" in model:
        words += f", at least {model['minimum']}"
    elif "maximum" in model:
        words += f", at most {model['maximum']}"
    if len(model.get("pattern", "")) in range(1, LEGIBLE):
        words += f", `{_cell(model['pattern'])}`"
    return words


def _cell(text: str) -> str:
    """Return the text on one line, with escaped pipes."""
    return " ".join(text.split()).replace("|", "\\|")
