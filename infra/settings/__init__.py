"""The settings of a stack file, as types.

`Settings.parse` converts the values of one `stacks/Pulumi.<env>.yaml` into one tree of frozen models, once,
when the program starts. It does not need a running Pulumi engine. All problems of a stack file are reported
in one `SettingsError`: stack, key, value and remedy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError

from infra.settings.base import Section
from infra.settings.errors import SettingsError, setting_problems
from infra.settings.load_test import LoadTestSettings
from infra.settings.platform import (
    CacheSettings,
    ClusterSettings,
    DatabaseSettings,
    EdgeSettings,
    EnvironmentSettings,
    Google,
    NetworkSettings,
    StorageSettings,
)
from infra.settings.service import (
    BackupSettings,
    DeliverySettings,
    IdentitySettings,
    MailSettings,
    ObservabilitySettings,
    WorkloadSettings,
)


class Settings(Section):
    """The settings of one stack file, by section."""

    google: Annotated[Google, Field(alias="gcp:")]
    environment: EnvironmentSettings
    network: NetworkSettings
    cluster: ClusterSettings
    database: DatabaseSettings
    cache: CacheSettings
    storage: StorageSettings
    edge: EdgeSettings
    workload: WorkloadSettings
    identity: IdentitySettings
    mail: MailSettings
    observability: ObservabilitySettings
    backup: BackupSettings
    delivery: DeliverySettings
    loadtest: LoadTestSettings

    @classmethod
    def parse(cls, stack: str, values: Mapping[str, Any]) -> Settings:
        """Read the settings of `stack` from its configuration.

        `values` maps full keys (`kingdom:network`, `gcp:project`) to the values of the file: YAML values, or
        the JSON text that Pulumi passes to a program. Raises `SettingsError` with every problem.
        """
        try:
            return cls.model_validate_json(json.dumps(_tree(values)), strict=True)
        except ValidationError as error:
            raise SettingsError(stack, setting_problems(error, cls)) from None


def _tree(values: Mapping[str, Any]) -> dict[str, Any]:
    """Build one object from the flat keys; keys of other namespaces are left out."""
    google: dict[str, Any] = {}
    tree: dict[str, Any] = {"gcp:": google}
    for key, value in values.items():
        namespace, _, name = key.partition(":")
        if namespace == "kingdom":
            tree[name] = _decoded(value)
        elif key in {"gcp:project", "gcp:region"}:
            google[name] = value
    return tree


def _decoded(value: Any) -> Any:
    """Decode a value that Pulumi passes as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
