"""Files of the repository under version control."""

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
    """Return a path relative to the repository."""
    return path.relative_to(ROOT).as_posix()


def text(path: Path) -> str | None:
    """Return a file's text; None if it is not UTF-8."""
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return None
