"""Load and validate the stack configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.runtime import config

from infra.component import Environment
from infra.settings import Settings
from infra.settings.errors import SettingsError, cross_field_error
from infra.settings.sizing import Sizing, cross_field_errors


def parse(stack: str, values: Mapping[str, Any]) -> Settings:
    """Parse settings and check their consistency. Raises `SettingsError` with every problem."""
    settings = Settings.parse(stack, values)
    found = [cross_field_error(key, value, remedy) for key, value, remedy in cross_field_errors(settings)]
    if found:
        raise SettingsError(stack, found)
    return settings


def with_edge_port(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration with `rehearsal:machine.edgePort`, if set, as the port of the edge.

    On one machine, that setting is the port of the platform; URLs in responses, in OpenAPI documents and in
    the stack's outputs must have the same port.
    """
    found = dict(values)
    machine, edge = (_object(found.get(key)) for key in ("rehearsal:machine", "kingdom:edge"))
    if machine is not None and edge is not None and "edgePort" in machine:
        port = {**edge, "port": machine["edgePort"]}
        found["kingdom:edge"] = json.dumps(port) if isinstance(found["kingdom:edge"], str) else port
    return found


def _object(value: Any) -> dict[str, Any] | None:
    """Return a configuration value that is an object, which Pulumi passes as JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    return dict(value) if isinstance(value, Mapping) else None


def load() -> tuple[Environment, Settings, Sizing]:
    """Load the running stack's environment, its settings, and the derived sizes.

    Raises `pulumi.RunError`, whose text every engine prints without a traceback.
    """
    # `pulumi.Config` cannot list its keys, so it cannot report unknown keys.
    values = with_edge_port({**config.get_config_env(), **config.CONFIG.get()})
    try:
        settings = parse(pulumi.get_stack(), values)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None
    environment = Environment(
        name=pulumi.get_stack(),
        project=settings.google.project,
        project_number=settings.environment.project_number,
        region=settings.google.region,
        labels=settings.environment.labels,
        protect=settings.environment.protect,
    )
    return environment, settings, Sizing.of(settings)
