"""Production with the load test of the documentation."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.infra.rehearsal import ROOT, Declared, configuration, rehearse

_BLOCKS = re.compile(r"```yaml\n(kingdom:loadtest:.*?)```", re.DOTALL)


def documented() -> list[dict[str, Any]]:
    """The sections that docs/load-tests.md shows: that of dev and that of prod."""
    found = _BLOCKS.findall((ROOT / "docs" / "load-tests.md").read_text())
    return [yaml.safe_load(each) for each in found]


@pytest.fixture(scope="session")
def with_load_test(tmp_path_factory: pytest.TempPathFactory) -> Declared:
    """The declared resources of production with the documented load test."""
    values = configuration("prod") | documented()[1]
    return rehearse("prod", tmp_path_factory.mktemp("loadtest"), values)
