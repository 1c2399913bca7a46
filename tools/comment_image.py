"""Write the image of an example comment: ``python -m tools.comment_image``. Needs Chromium on PATH.

The comment is the recorded example ``tls-removed``, rendered like GitHub's page.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt

ROOT: Final = Path(__file__).parents[1]
EXAMPLE: Final = ROOT / "tests" / "rehearsal" / "review" / "examples" / "tls-removed" / "comment.md"
IMAGE: Final = ROOT / "docs" / "images" / "comment.png"
SIZE: Final = (900, 710)  # pixels
# Replacements: symbols instead of emoji, whose fonts are often missing, and a commit for the masked one.
SYMBOLS: Final = {
    "❌": '<b style="color: #d1242f">✖</b>',
    "✅": '<b style="color: #1a7f37">✔</b>',
    "⚠️": '<b style="color: #9a6700">⚠</b>',
    "`…`": "`4f1c9ab02d7e`",
}
STYLE: Final = """
body { font: 14px/1.5 -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; color: #1f2328; margin: 16px; }
.comment { border: 1px solid #d1d9e0; border-radius: 6px; }
.head { background: #f6f8fa; border-bottom: 1px solid #d1d9e0; padding: 8px 16px; color: #59636e; }
.body { padding: 8px 16px 16px; }
h2 { border-bottom: 1px solid #d1d9e0; padding-bottom: 6px; font-size: 20px; } h3 { font-size: 16px; }
table { border-collapse: collapse; } th, td { border: 1px solid #d1d9e0; padding: 5px 10px; }
code { background: #eff1f3; border-radius: 4px; padding: 1px 4px; font: 12px "DejaVu Sans Mono", monospace; }
pre code { background: none; } summary { cursor: pointer; }
"""


def page(comment: str) -> str:
    """The comment as an HTML page."""
    for symbol, shown in SYMBOLS.items():
        comment = comment.replace(symbol, shown)
    body = MarkdownIt("commonmark", {"html": True}).enable("table").render(comment)
    head = "<b>github-actions</b> bot commented"
    return (
        f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style>'
        f'<div class="comment"><div class="head">{head}</div><div class="body">{body}</div></div>'
    )


def main() -> None:
    """Render the example. Exits with a message without Chromium."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("Chromium is not on PATH: install it, or keep the recorded image.")
    IMAGE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "comment.html"
        file.write_text(page(EXAMPLE.read_text()))
        width, height = SIZE
        subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--hide-scrollbars",
                f"--user-data-dir={folder}/profile",
                f"--window-size={width},{height}",
                f"--screenshot={IMAGE}",
                file.as_uri(),
            ],
            check=True,
            capture_output=True,
        )


if __name__ == "__main__":
    main()
