"""The parser of documented commands: a mistake in it would hide wrong documents."""

from pathlib import Path

import pytest

from tests.docs._shell import commands
from tools.docs.markdown import Block, blocks, table


def _read(body: str) -> list[str]:
    return [" ".join(command.words) for command in commands(Block(Path("x.md"), "sh", body))]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("make up      # brings it up\n", ["make up"]),
        (
            "A=1 B='2 3' make up && make down; make lint | tee out\n",
            ["make up", "make down", "make lint", "tee out"],
        ),
        ("export PULUMI_CONFIG_PASSPHRASE=x\npulumi up\n", ["pulumi up"]),
        (
            "curl --cacert ca.pem \\\n  https://localhost > response.json 2>&1\n",
            ["curl --cacert ca.pem https://localhost"],
        ),
        ("$ make bench\nname  ours\n$ make down\n", ["make bench", "make down"]),
    ],
)
def test_commands_are_taken_out_of_a_block(body: str, found: list[str]) -> None:
    assert _read(body) == found


def test_a_line_of_invalid_shell_is_refused() -> None:
    with pytest.raises(ValueError, match="quotation"):
        _read("echo 'unfinished\n")


def test_blocks_and_tables_are_found_by_language_and_heading(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(
        "# T\n\n```sh\nmake\n```\n\n```\nplain\n```\n\n## Rows\n\n| a | b |\n| --- | --- |\n| `x` | 1\\|2 |\n"
    )
    assert [block.body for block in blocks(document, "sh")] == ["make\n"]
    assert table(document, "Rows") == [["`x`", "1\\|2"]]
