"""`docs/commands.md`: every `kingdom` command and its options, from the command line itself."""

from collections.abc import Iterator

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from rehearsal.cli.app import app

HEAD = """# Commands of `kingdom`

Written by `make docs` from the command line itself, which prints the same with `--help`.
"""


def tree() -> dict[str, TyperCommand]:
    """Return every command by its name without `kingdom`, such as `preview` or `state export`."""
    return dict(_walk(typer.main.get_command(app), ""))


def _walk(command: object, prefix: str) -> Iterator[tuple[str, TyperCommand]]:
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield from _walk(child, f"{prefix} {name}".strip())
    elif isinstance(command, TyperCommand) and not command.hidden:
        yield prefix, command


def options(command: TyperCommand) -> set[str]:
    """Return the options of the command, including `--help`."""
    found = (item for item in command.params if isinstance(item, TyperOption))
    return {word for option in found for word in (*option.opts, *option.secondary_opts)} | {"--help"}


def commands_page() -> str:
    """The page as Markdown."""
    sections = (_section(name, command) for name, command in tree().items())
    return "\n".join([HEAD, f"{app.info.epilog}\n", *sections]).rstrip() + "\n"


def _section(name: str, command: TyperCommand) -> str:
    paragraphs = (command.help or "").replace("\b", "").strip()
    rows = [row for parameter in command.params if (row := _row(parameter))]
    table = ["| | what |", "| --- | --- |", *rows, ""] if rows else []
    return "\n".join([f"## `kingdom {name}`", "", paragraphs, "", *table])


def _row(parameter: object) -> str | None:
    if isinstance(parameter, TyperArgument):
        return f"| `{(parameter.name or '').upper()}` | {_cell(parameter.help, parameter.default)} |"
    if isinstance(parameter, TyperOption) and not parameter.hidden:
        words = ", ".join([*parameter.opts, *parameter.secondary_opts])
        variable = f"; or `{parameter.envvar}` in the environment" if parameter.envvar else ""
        return f"| `{words}` | {_cell(parameter.help, parameter.default)}{variable} |"
    return None


def _cell(text: str | None, default: object) -> str:
    """Return the text of a table cell on one line, with the default if it is a number or text."""
    cell = " ".join((text or "").split()).replace("|", "\\|").replace("<", "\\<")
    if isinstance(default, str | int) and not isinstance(default, bool):
        cell += f" (default `{default}`)"
    return cell
