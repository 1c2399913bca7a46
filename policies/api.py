"""The parts of the pack that other packages may use. Everything else in `policies` is internal to it.

Names are imported on first use: some modules need the Pulumi SDK, which takes about a second to import.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from policies.model.cron import Schedule, min_interval, parse_schedule
    from policies.model.limit_range_defaults import overcommits
    from policies.model.node_pools import Pool, pool_of
    from policies.model.paths import Path, format_path
    from policies.model.pods import list_unevaluated, pod_templates
    from policies.model.property_tree import Finding, Node
    from policies.model.quantities import parse as parse_quantity
    from policies.model.stack import Object, Resource, Stack, served_group
    from policies.model.unknown import UNKNOWN, Unknown
    from policies.pack.configuration import (
        LEVELS,
        ConfigurationError,
        PolicySettings,
        PolicyShape,
        problems_with,
        reconcile,
    )
    from policies.pack.rule import Rule
    from policies.pricing.cost_estimate import Costs, Line, monthly
    from policies.rules import RULES, SHAPES

# Maps a public name to its module, and to its name there if that differs.
_PLACES: Final[dict[str, str]] = {
    "LEVELS": "pack.configuration",
    "ConfigurationError": "pack.configuration",
    "Costs": "pricing.cost_estimate",
    "Finding": "model.property_tree",
    "Line": "pricing.cost_estimate",
    "Node": "model.property_tree",
    "Object": "model.stack",
    "Path": "model.paths",
    "PolicySettings": "pack.configuration",
    "PolicyShape": "pack.configuration",
    "RULES": "rules",
    "Resource": "model.stack",
    "Rule": "pack.rule",
    "SHAPES": "rules",
    "Schedule": "model.cron",
    "Stack": "model.stack",
    "UNKNOWN": "model.unknown",
    "Unknown": "model.unknown",
    "format_path": "model.paths",
    "list_unevaluated": "model.pods",
    "monthly": "pricing.cost_estimate",
    "overcommits": "model.limit_range_defaults",
    "parse_quantity": "model.quantities:parse",
    "parse_schedule": "model.cron",
    "pod_templates": "model.pods",
    "Pool": "model.node_pools",
    "pool_of": "model.node_pools",
    "problems_with": "pack.configuration",
    "reconcile": "pack.configuration",
    "served_group": "model.stack",
    "min_interval": "model.cron",
}

__all__ = [
    "LEVELS",
    "RULES",
    "SHAPES",
    "UNKNOWN",
    "ConfigurationError",
    "Costs",
    "Finding",
    "Line",
    "Node",
    "Object",
    "Path",
    "PolicySettings",
    "PolicyShape",
    "Pool",
    "Resource",
    "Rule",
    "Schedule",
    "Stack",
    "Unknown",
    "format_path",
    "list_unevaluated",
    "min_interval",
    "monthly",
    "overcommits",
    "parse_quantity",
    "parse_schedule",
    "pod_templates",
    "pool_of",
    "problems_with",
    "reconcile",
    "served_group",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module. Raises AttributeError for any other name."""
    if name not in _PLACES:
        raise AttributeError(f"module 'policies.api' has no attribute {name!r}")
    module, _, original = _PLACES[name].partition(":")
    value = getattr(importlib.import_module(f"policies.{module}"), original or name)
    globals()[name] = value
    return value
