"""HTML tables of reports."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def html_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], classes: Sequence[str] | None = None
) -> str:
    """Return an HTML table with escaped texts. `classes` are the CSS classes of the rows, "" for none."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        (f'<tr class="{name}">' if name else "<tr>")
        + "".join(f"<td>{escape(cell)}</td>" for cell in row)
        + "</tr>"
        for row, name in zip(rows, classes or [""] * len(rows), strict=True)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
