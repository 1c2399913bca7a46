"""Wording of the whole repository follows the style guide.

`language_allowance.yaml` holds how many findings each folder may still have; a number may only shrink, and a
folder without a number has none. `python -m tools.language FOLDER` lists the findings.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml

from tools.language import files, findings_of, folder_of

ALLOWANCE = Path(__file__).with_name("language_allowance.yaml")


@pytest.fixture(scope="module")
def counts() -> Counter[str]:
    return Counter(folder_of(finding.path) for path in files() for finding in findings_of(path))


@pytest.fixture(scope="module")
def allowed() -> dict[str, int]:
    return yaml.safe_load(ALLOWANCE.read_text()) or {}


def test_no_folder_has_more_findings_than_its_allowance(
    counts: Counter[str], allowed: dict[str, int]
) -> None:
    over = {folder: count for folder, count in counts.items() if count > allowed.get(folder, 0)}
    assert not over, f"reword or rename: python -m tools.language {' '.join(over)}"
