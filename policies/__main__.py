"""The pack as a server: what `pulumi preview --policy-pack policies` and `kingdom preview` start.

The only module that constructs a PolicyPack, because the constructor never returns. A stack file has two keys
for it: ``policies:monthlyCeiling`` (USD, see :mod:`policies.rules.costs`), and ``policies:config``, which
relaxes policies by name in the form of a ``--policy-pack-config`` file; production has none of the latter.
"""

from __future__ import annotations

import gc
import json
import sys
from typing import Any, Final

import pulumi
from pulumi_policy import EnforcementLevel, PolicyPack

from policies.pack.configuration import ConfigurationError, problems_with, reconcile
from policies.pack.decoding import decode_once
from policies.pack.server import serve_quickly
from policies.rules import RULES, SHAPES

CEILING: Final = "monthly-cost-ceiling"
REGISTRIES: Final = "image-registry"


def stack_configuration() -> list[dict[str, Any]]:
    """Return the layers of the pack's configuration from the stack file. Raises ConfigurationError."""
    stack = pulumi.get_stack()
    return [
        _registries(),
        _layer(f"policies:monthlyCeiling of the stack {stack!r}", _ceiling()),
        _layer(f"policies:config of the stack {stack!r}", _parsed("config", {})),
    ]


def _registries() -> dict[str, Any]:
    """Return the allowed registries: the project's own, and Google's for images of GKE."""
    google = pulumi.Config("gcp")
    project, region = google.get("project"), google.get("region")
    if not project or not region:
        return {}
    return {REGISTRIES: {"registries": [f"{region}-docker.pkg.dev/{project}/", "gke.gcr.io/"]}}


def _ceiling() -> dict[str, Any]:
    ceiling = _parsed("monthlyCeiling", None)
    return {} if ceiling is None else {CEILING: {"monthly": ceiling}}


def _parsed(key: str, default: Any) -> Any:
    text = pulumi.Config("policies").get(key)
    try:
        return json.loads(text) if text else default
    except json.JSONDecodeError:
        return text


def _layer(source: str, layer: Any) -> dict[str, Any]:
    problems = problems_with(SHAPES, layer)
    if problems:
        raise ConfigurationError(source, problems)
    return dict(layer)


def main() -> None:
    try:
        settings = reconcile(SHAPES, *stack_configuration())
    except ConfigurationError as error:
        sys.exit(f"error: {error}")
    decode_once()
    serve_quickly(RULES)
    # Modules and declared resources live until the process ends: repeated garbage collections over them would
    # make the time grow faster than the stack.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    PolicyPack(
        name="kingdom",
        policies=[rule.policy() for rule in RULES],
        # Always with the level: the protocol reads a missing one as "advisory".
        initial_config={
            name: {"enforcementLevel": EnforcementLevel(setting.level), **setting.properties}
            for name, setting in settings.items()
        },
    )


main()
