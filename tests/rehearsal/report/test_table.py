"""HTML tables: columns, rows, escaping and classes."""

from __future__ import annotations

from rehearsal.report.table import html_table


def test_table_has_a_head_and_escaped_cells() -> None:
    assert html_table(("a", "<b>"), [("1 & 2", "x"), ("", "y")]) == (
        "<table><thead><tr><th>a</th><th>&lt;b&gt;</th></tr></thead><tbody>"
        "<tr><td>1 &amp; 2</td><td>x</td></tr><tr><td></td><td>y</td></tr></tbody></table>"
    )


def test_rows_have_their_classes() -> None:
    table = html_table(("a",), [("1",), ("2",)], ["bad", ""])
    assert '<tbody><tr class="bad"><td>1</td></tr><tr><td>2</td></tr></tbody>' in table


def test_table_without_rows_has_an_empty_body() -> None:
    assert html_table(("a",), []).endswith("<tbody></tbody></table>")
