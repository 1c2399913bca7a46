"""Mutants that no test can kill, each with the reason: `equivalents.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml

from tools.mutants.conditions import Mutant

EQUIVALENTS: Final = Path(__file__).with_name("equivalents.yaml")


def equivalents() -> dict[str, str]:
    """Reasons by the key of the mutant. `occurrence` is 1 where the list gives none."""
    listed = yaml.safe_load(EQUIVALENTS.read_text("utf-8")) or []
    found: dict[str, str] = {}
    for item in listed:
        texts = (item[name] for name in ("original", "changed", "function"))
        original, changed, function = texts
        mutant = Mutant(item["path"], 0, 0, 0, original, changed, function, item.get("occurrence", 1))
        found[mutant.key] = item["reason"]
    return found
