"""Parse the commands in shell blocks of documents."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from tools.docs.markdown import Block

ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")
SEPARATORS = {"|", "||", "&&", ";", "&"}


@dataclass(frozen=True)
class Command:
    """One program with its arguments, without assignments, redirections and comments."""

    words: tuple[str, ...]

    @property
    def program(self) -> str:
        """Name of the program, without its path."""
        return self.words[0].rsplit("/", 1)[-1]

    @property
    def arguments(self) -> tuple[str, ...]:
        """Arguments of the program."""
        return self.words[1:]


def commands(block: Block) -> Iterator[Command]:
    """Yield the commands of a shell block.

    A line that ends with `\\` continues on the next one. If some lines start with `$ `, only these are
    commands and the others are output.

    Raises:
        ValueError: when a line is not valid shell.
    """
    lines = block.body.replace("\\\n", " ").splitlines()
    typed = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")] or lines
    for line in typed:
        yield from _split(line)


def _split(line: str) -> Iterator[Command]:
    numbered = re.sub(r"(?<=\s)\d(?=[<>])", "", line)  # the 2 of 2>&1
    lexer = shlex.shlex(numbered, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word in SEPARATORS:
            words_left = _bare(words)
            if words_left:
                yield Command(tuple(words_left))
            words = []
        else:
            words.append(word)


def _bare(words: list[str]) -> list[str]:
    """Return the words without leading assignments, `export` and redirections."""
    words_left: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif set(word) <= set("<>&"):
            skip = True
        elif words_left or not (ASSIGNMENT.match(word) or word == "export"):
            words_left.append(word)
    return words_left
