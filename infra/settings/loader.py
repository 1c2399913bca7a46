"""Where the program meets Pulumi's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.runtime import config

from infra.component import Environment
from infra.settings import Settings
from infra.settings.errors import SettingsError, misfit
from infra.settings.sizing import Sizing, misfits


def parse(stack: str, values: Mapping[str, Any]) -> Settings:
    """Settings whose every value is right, and which fit together. Raises `SettingsError` otherwise."""
    settings = Settings.parse(stack, values)
    found = [misfit(key, value, remedy) for key, value, remedy in misfits(settings)]
    if found:
        raise SettingsError(stack, found)
    return settings


def load() -> tuple[Environment, Settings, Sizing]:
    """The running stack's environment, its settings, and what follows from them.

    Raises `pulumi.RunError`, whose text every engine prints without a traceback.
    """
    # `pulumi.Config` cannot list its keys, and a key that nobody reads is a mistake worth reporting.
    values = {**config.get_config_env(), **config.CONFIG.get()}
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
