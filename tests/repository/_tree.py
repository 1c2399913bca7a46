"""The repository's own files, as git knows them."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def tracked(suffix: str = "") -> tuple[Path, ...]:
    """Files under version control whose name ends in `suffix`."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    paths = (ROOT / name for name in listing.split("\0") if name.endswith(suffix) and name)
    return tuple(path for path in paths if path.is_file())


def name(path: Path) -> str:
    """A path as the repository names it."""
    return path.relative_to(ROOT).as_posix()


def text(path: Path) -> str | None:
    """A file's text; None for one that is not text."""
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return None
