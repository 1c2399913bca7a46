"""`docs/commands.md`: every command with its arguments and options, as the command line has them."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer

from tools.docs import commands_page as module
from tools.docs.commands_page import commands_page, options, tree


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> str:
    """The page of a small command line."""
    app = typer.Typer(epilog="The end of the help.")
    state = typer.Typer()
    app.add_typer(state, name="state")

    @app.command()
    def preview(
        path: Annotated[str, typer.Argument(help="A | file <or>\n folder.")] = ".",
        level: Annotated[int, typer.Option("--level", "-l", help="Depth.", envvar="LEVEL")] = 3,
        loud: Annotated[bool, typer.Option("--loud/--quiet", help="Print more.")] = False,
        secret: Annotated[str, typer.Option(hidden=True)] = "",
    ) -> None:
        """Plan an update.

        Nothing changes.
        """

    @app.command(hidden=True)
    def internal() -> None:
        """Not for users."""

    @state.command()
    def export() -> None:
        """Write the state."""

    monkeypatch.setattr(module, "app", app)
    return commands_page()


def test_page_has_a_section_for_every_visible_command(page: str) -> None:
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## `kingdom preview`",
        "## `kingdom state export`",
    ]
    assert "Plan an update.\n\nNothing changes.\n" in page
    assert "The end of the help.\n" in page
    assert page.endswith("Write the state.\n")


def test_rows_have_names_help_defaults_and_variables_in_one_escaped_cell(page: str) -> None:
    assert [line for line in page.splitlines() if line.startswith("| `")] == [
        "| `PATH` | A \\| file \\<or> folder. (default `.`) |",
        "| `--level, -l` | Depth. (default `3`); or `LEVEL` in the environment |",
        "| `--loud, --quiet` | Print more. |",
    ]


@pytest.mark.usefixtures("page")
def test_tree_maps_words_to_commands_and_options_include_help() -> None:
    commands = tree()
    assert list(commands) == ["preview", "state export"]
    assert options(commands["preview"]) == {"--level", "-l", "--loud", "--quiet", "--secret", "--help"}
    assert options(commands["state export"]) == {"--help"}


def test_page_of_kingdom_names_its_main_commands() -> None:
    assert {"up", "down", "preview", "check", "status"} <= set(tree())
