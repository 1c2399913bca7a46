"""Find wording that the style guide excludes, in code, comments, messages, names and documents.

`python -m tools.language [PATH…]` lists every finding with the wording to use instead and exits with 1 if any
exist; `--count` prints a count per folder. The rules are the glossary of the style guide.
`tests/repository/test_language.py` applies them to the repository.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Rule:
    """Wording to avoid: a pattern over one sentence or name, and what to write instead."""

    pattern: re.Pattern[str]
    instead: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One occurrence: file (relative to the repository), line (1-based), text, and what to write instead."""

    path: str
    line: int
    found: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.found!r}: write {self.instead}"


@dataclass(frozen=True, slots=True)
class Text:
    """Prose with the line it begins on."""

    line: int
    content: str


def _word(words: str, instead: str) -> Rule:
    """A rule for whole words; `words` is an alternation."""
    return Rule(re.compile(rf"(?<![\w`./-])(?:{words})(?![\w`-])", re.IGNORECASE), instead)


# Prose: docstrings, comments, messages, documents. `instead` names the standard wording.
PROSE: Final = (
    _word(r"whoever|whomever|nobody|somebody|everybody", "user, client, caller or none"),
    _word(r"anew", "again"),
    _word(r"for ever", "until cancelled, indefinitely"),
    _word(r"just now", "currently"),
    _word(r"once more", "again"),
    _word(r"wish(?:es|ed)?", "request, payload or body"),
    _word(r"hand(?:s|ed|ing)? (?:it |them |this )?(?:in|back)", "enqueue, requeue, return or release"),
    _word(r"(?:puts?|putting) (?:it |them )?right", "fix, retry"),
    _word(r"mend(?:s|ed|ing)?", "fix, remediate"),
    _word(r"gone for good", "deleted, dead-lettered"),
    _word(r"good no more|no longer good", "expired, revoked"),
    _word(r"spoil(?:s|ed|t)", "malformed"),
    _word(r"tells?|told|telling", "publish, report, notify, return"),
    _word(r"hears?|heard|hearing", "receive"),
    _word(r"says?|said|saying", "state, report, specify, return"),
    _word(r"asks?|asked|asking", "call, query, request"),
    _word(r"answers?|answered|answering", "response, respond, return"),
    _word(
        r"judges?|judged|judging|verdicts?|objections?|objects to (?:a|an|it|the|this|that|what|changes)",
        "evaluate, result, finding or violation",
    ),
    _word(r"realised?", "emulated"),
    _word(r"strays?", "orphan"),
    _word(r"upkeep", "maintenance"),
    _word(r"attendance", "worker registry, heartbeat"),
    _word(r"offen[cs]es?|offend(?:s|er|ers)?", "violation, finding"),
    _word(
        r"is (?:now )?gone|are gone|has gone|was gone|have gone|once gone", "is unavailable, absent, deleted"
    ),
    _word(r"knock(?:s|ed)?", "connect"),
    _word(r"(?:no|enough|more|for want of) room|room for", "capacity"),
    _word(r"dearer|dearest", "expensive"),
    _word(
        r"(?:is|are|was) no [a-z]+(?<! longer)(?<! more)(?<! less)(?<! such)(?<! one)(?<! other)",
        "is not a …",
    ),
    _word(
        r"(?:do|does|did|must|may|can|will)(?: not)? (?:hear|tell|ask|say|know)", "receive, report, request"
    ),
    _word(r"people", "users"),
    _word(r"picture[sd]?", "image"),
    _word(r"forget(?:s|ting)?|forgot(?:ten)?", "drop, evict, discard"),
    _word(r"objectors?", "violation"),
)
_ANY: Final = re.compile("|".join(rule.pattern.pattern for rule in PROSE), re.IGNORECASE)
# The first words of a sentence that is a relative clause instead of a statement; questions are left out.
RELATIVE: Final = re.compile(
    r"(?:^|(?<=[.!?:;] )|(?<=\n\n))(What|Who|Whoever|Whom|Whose|Where)\b(?! is it\b)"
)
# Names: whole parts of an identifier in snake_case or CamelCase.
_BOUND: Final = "min_ or max_"
NAME_PARTS: Final[dict[str, str]] = {
    "wish": "request, payload, body",
    "wishes": "request, payload, body",
    "told": "published, reported",
    "untold": "unpublished",
    "tell": "publish, report",
    "said": "reported",
    "hear": "receive",
    "heard": "received",
    "answer": "response",
    "answers": "responses",
    "answered": "responded",
    "kept": "cached, stored",
    "keeping": "cached, stored",
    "upkeep": "maintenance",
    "attendance": "worker_registry",
    "strays": "orphans",
    "stray": "orphan",
    "realised": "emulated",
    "whoever": "client",
    "nobody": "none",
    "somebody": "client, user",
    "anew": "again",
    "mend": "fix",
    "mended": "fixed",
    "offence": "finding, violation",
    "offences": "findings, violations",
    "judge": "evaluate",
    "judged": "evaluated",
    "verdict": "result",
    "objection": "violation",
    "objections": "violations",
    "undoable": "permanent",
    "people": "users",
    "picture": "image",
    "pictures": "images",
    "doomed": "to_delete, expired",
    "beloved": "preferred",
    "longest": _BOUND,
    "shortest": _BOUND,
    "largest": _BOUND,
    "smallest": _BOUND,
    "fewest": _BOUND,
    "most": _BOUND,
}
# Names of tests state the behavior as a sentence with a subject.
_TEST_NAME: Final = re.compile(
    r"^test_(?:what|whatever|who|whoever|where)_|_is_no_(?!longer_|more_)|(?<!there)_are_no_"
)
_PART: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# `text` inside these is code, not prose.
_CODE: Final = re.compile(r"``[^`]*``|`[^`]*`|:[a-z]+:`[^`]*`|https?://\S+|\[[^\]]*\]\([^)]*\)")


def prose_findings(path: str, texts: Iterable[Text]) -> Iterator[Finding]:
    """Apply the rules of prose to texts of one file."""
    for text in texts:
        content = _CODE.sub(lambda match: "`" + "x" * (len(match[0]) - 2) + "`", text.content)
        for rule in PROSE if _ANY.search(content) else ():
            for match in rule.pattern.finditer(content):
                yield Finding(path, _line(text, match.start()), _excerpt(content, match), rule.instead)
        for match in RELATIVE.finditer(content):
            if not _is_question(content, match.start()):
                instead = "a sentence that starts with its subject or an imperative verb"
                yield Finding(path, _line(text, match.start()), _excerpt(content, match), instead)


def _line(text: Text, at: int) -> int:
    return text.line + text.content[:at].count("\n")


def _excerpt(content: str, match: re.Match[str]) -> str:
    return " ".join(content[match.start() : match.end() + 30].split())[:60]


def _is_question(content: str, at: int) -> bool:
    end = re.search(r"[.!?](?=\s|$)|\n\n", content[at:])
    return end is not None and end[0] == "?"


def name_findings(path: str, names: Iterable[tuple[int, str]]) -> Iterator[Finding]:
    """Apply the rules of names to (line, identifier) pairs of one file."""
    for line, name in names:
        if _TEST_NAME.search(name):
            yield Finding(path, line, name, "a sentence with a subject: test_unknown_paths_return_404")
        for part in _PART.findall(name):
            if (instead := NAME_PARTS.get(part.lower())) is not None:
                yield Finding(path, line, name, instead)
                break


def python_texts(source: str) -> Iterator[Text]:
    """Docstrings, comments and message literals of a module.

    A message literal is a string with at least two words; regular expressions, formats without words and
    keys are left out.
    """
    nodes = _nodes(source)
    fragments = {id(value) for node in nodes if isinstance(node, ast.JoinedStr) for value in node.values}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            content = "".join(_constant(value) for value in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in fragments:
            content = node.value
        else:
            continue
        if _is_message(content):
            yield Text(node.lineno, content)
    yield from _comments(source)


@lru_cache(1)
def _nodes(source: str) -> tuple[ast.AST, ...]:
    """Return the nodes of a module, which the rules of texts and those of names read one after the other."""
    return tuple(ast.walk(ast.parse(source)))


def _constant(value: ast.expr) -> str:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else "`x`"


def _comments(source: str) -> Iterator[Text]:
    """Comments; adjacent lines that hold only a comment are one text."""
    block: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line, content = token.start[0], token.string.lstrip("#").strip()
        if token.line[: token.start[1]].strip():
            yield Text(line, content)
            continue
        if block and line != last + 1:
            yield Text(last - len(block) + 1, "\n".join(block))
            block = []
        block.append(content)
        last = line
    if block:
        yield Text(last - len(block) + 1, "\n".join(block))


def _is_message(content: str) -> bool:
    return bool(re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}", content)) and not re.search(r"\(\?|\\[wsdb]", content)


def python_names(source: str) -> Iterator[tuple[int, str]]:
    """Names that a module defines: functions, classes, parameters, variables, attributes and aliases."""
    for node in _nodes(source):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node.lineno, node.asname


def markdown_texts(source: str) -> Iterator[Text]:
    """Paragraphs of a Markdown document without fenced code."""
    fenced = False
    paragraph: list[str] = []
    begin = 1
    for number, line in enumerate([*source.splitlines(), ""], start=1):
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
            line = ""
        if fenced or not line.strip():
            if paragraph:
                yield Text(begin, "\n".join(paragraph))
            paragraph = []
            continue
        if line.lstrip().startswith(("#", "|", "-", "*", ">")) or re.match(r"\s*\d+\. ", line):
            if paragraph:
                yield Text(begin, "\n".join(paragraph))
            paragraph = []
        if not paragraph:
            begin = number
        paragraph.append(line.lstrip("#|->* "))


_HASH_SUFFIXES: Final = frozenset({".yaml", ".yml", ".toml", ".sh"})
_HASH_NAMES: Final = frozenset({".gitattributes", "CODEOWNERS", "Containerfile", "Makefile", "run"})
_SLASH_SUFFIXES: Final = frozenset({".css", ".go", ".js", ".mjs", ".rules", ".ts", ".tsx"})
_SLASH_COMMENT: Final = re.compile(
    r"^[ \t]*//[ \t]?(?P<lines>[^\n]*(?:\n[ \t]*//[^\n]*)*)|[ \t]//[ \t]?(?P<line>[^\n]*)"
    r"|/\*\*?(?P<block>.*?)\*/",
    re.MULTILINE | re.DOTALL,
)


def hash_comments(source: str) -> Iterator[Text]:
    """Comments of files whose comments start with `#` (YAML, Makefile, shell, TOML)."""
    for number, line in enumerate(source.splitlines(), start=1):
        if match := re.search(r"(?:^|\s)#+ (.*)$", line):
            yield Text(number, match[1])


def slash_comments(source: str) -> Iterator[Text]:
    """Comments of files whose comments are ``// …`` and ``/* … */`` (TypeScript, JavaScript, Go, CSS).

    A comment that follows code on its line is read too; ``//`` in a string is not distinguished from one.
    """
    for found in _SLASH_COMMENT.finditer(source):
        line = source.count("\n", 0, found.start()) + 1
        text = re.sub(r"\s*\n\s*(?:\*|//)?\s*", "\n", found["lines"] or found["line"] or found["block"] or "")
        yield Text(line, text.strip())


def findings_of(path: Path) -> list[Finding]:
    """Every finding in one file of the repository."""
    name = path.relative_to(ROOT).as_posix()
    try:
        source = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return []
    if path.suffix == ".py":
        return [
            *prose_findings(name, python_texts(source)),
            *name_findings(name, python_names(source)),
        ]
    if path.suffix == ".md":
        return [*prose_findings(name, markdown_texts(source))]
    script = path.suffix == "" and path.parent.name == "scripts"
    if path.suffix in _HASH_SUFFIXES or path.name in _HASH_NAMES or script:
        return [*prose_findings(name, hash_comments(source))]
    if path.suffix == ".lua":
        return [*prose_findings(name, hash_comments(source.replace("--", "#")))]
    if path.suffix in _SLASH_SUFFIXES:
        return [*prose_findings(name, slash_comments(source))]
    return []


def files(paths: Sequence[str] = ()) -> list[Path]:
    """Tracked and new files below `paths` (default: all), without locks, this module and its tests."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    found = (ROOT / name for name in listing.split("\0") if name)
    own = {
        ROOT / "tools/language.py",
        ROOT / "tests/tools/test_language.py",
        ROOT / "tests/tools/test_commit_message.py",
        ROOT / "tests/repository/test_language.py",
    }
    return [path for path in found if path.is_file() and "locks" not in path.parts and path not in own]


def folder_of(path: str) -> str:
    """The folder whose owner a finding belongs to: at most two levels, tests counted by themselves."""
    parts = path.split("/")[:-1]
    depth = 3 if parts[:1] == ["tests"] else 2
    return "/".join(parts[:depth]) or "."


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings; return 1 if there are any."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.language", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files or folders (default: the repository)")
    parser.add_argument(
        "--count", action="store_true", help="print a count per folder instead of the findings"
    )
    given = parser.parse_args(arguments)
    found = [finding for path in files(given.paths) for finding in findings_of(path)]
    if given.count:
        for folder, count in sorted(Counter(folder_of(finding.path) for finding in found).items()):
            print(f"{count:6} {folder}")
    else:
        for finding in found:
            print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
