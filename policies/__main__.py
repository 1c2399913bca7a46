"""The pack as a server: what `pulumi preview --policy-pack policies` and `kingdom preview` start.

The only place that constructs a PolicyPack, since that never returns. A stack relaxes a policy by name in
its file, under ``policies:config``, in the form of a ``--policy-pack-config`` file; production has none.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pulumi
from pulumi_policy import EnforcementLevel, PolicyPack

from policies.catalogue import RULES, SHAPES
from policies.configuration import ConfigurationError, problems_with, reconcile
from policies.decoding import decode_once


def stack_configuration() -> dict[str, Any]:
    """What the stack's file says under ``policies:config``. Raises ConfigurationError."""
    source = f"policies:config of the stack {pulumi.get_stack()!r}"
    text = pulumi.Config("policies").get("config")
    try:
        layer = json.loads(text) if text else {}
    except json.JSONDecodeError as error:
        raise ConfigurationError(source, [f"not an object: {error}"]) from None
    problems = problems_with(SHAPES, layer)
    if problems:
        raise ConfigurationError(source, problems)
    return dict(layer)


def main() -> None:
    try:
        settings = reconcile(SHAPES, stack_configuration())
    except ConfigurationError as error:
        sys.exit(f"error: {error}")
    decode_once()
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
