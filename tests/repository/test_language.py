"""Wording of the repository follows the style guide. `python -m tools.language FOLDER` lists the findings."""

from __future__ import annotations

from tools.language import files, findings_of


def test_no_wording_is_excluded_by_the_style_guide() -> None:
    findings = [str(finding) for path in files() for finding in findings_of(path)]
    assert findings == []
