"""Where the program meets Pulumi's configuration."""

from __future__ import annotations

import pulumi
from pulumi.runtime import config

from infra.complaints import SettingsError
from infra.component import Environment
from infra.settings import Settings


def load() -> tuple[Environment, Settings]:
    """The running stack's environment and settings.

    Raises `pulumi.RunError`, whose text every engine prints without a traceback.
    """
    # `pulumi.Config` cannot list its keys, and a key that nobody reads is a mistake worth reporting.
    values = {**config.get_config_env(), **config.CONFIG.get()}
    try:
        settings = Settings.parse(pulumi.get_stack(), values)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None
    environment = Environment(
        name=pulumi.get_stack(),
        project=settings.google.project,
        region=settings.google.region,
        labels=settings.environment.labels,
        protect=settings.environment.protect,
    )
    return environment, settings
