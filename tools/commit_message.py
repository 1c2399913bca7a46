"""Check a commit message: `python -m tools.commit_message FILE`, run by the commit-msg hook.

The subject is an imperative sentence of at most 72 characters without a final period. A blank line separates
the body. The wording follows the style guide.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tools.language import Text, prose_findings

MAX_SUBJECT: Final = 72
_GENERATED: Final = re.compile(r"(Merge|Revert|fixup!|squash!|amend!) ?")
# First words that are not imperative: past tense, third person, gerund, article or pronoun.
_NOT_IMPERATIVE: Final = re.compile(
    r"(?!(?:Embed|Exceed|Feed|Need|Proceed|Seed|Speed|Bring|Access|Address|Bypass|Compress|Discuss|Express|Focus"
    r"|Pass|Process|Suppress|String)\b)(?:\w+(?:ed|ing|[^s]s)|A|An|The|It|This|No|Not)\b"
)


def problems(message: str) -> Iterator[str]:
    """Problems of a message; comment lines of the editor are left out."""
    lines = [line for line in message.splitlines() if not line.startswith("#")]
    subject = lines[0] if lines else ""
    if _GENERATED.match(subject):
        return
    if not subject.strip():
        yield "the subject is empty"
        return
    if len(subject) > MAX_SUBJECT:
        yield f"the subject has {len(subject)} characters, more than {MAX_SUBJECT}"
    if subject.endswith("."):
        yield "the subject must not end with a period"
    if _NOT_IMPERATIVE.match(subject):
        yield f"the subject must start with an imperative verb, not {subject.split()[0]!r}"
    if len(lines) > 1 and lines[1].strip():
        yield "the second line must be blank"
    for finding in prose_findings("message", [Text(1, "\n".join(lines))]):
        yield f"line {finding.line}: {finding.found!r}: write {finding.instead}"


def main(arguments: Sequence[str]) -> int:
    """Print every problem of the message in the given file; 1 if there are any."""
    found = list(problems(Path(arguments[0]).read_text(encoding="utf-8")))
    for problem in found:
        print(f"commit message: {problem}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
