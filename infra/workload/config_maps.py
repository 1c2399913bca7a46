"""ConfigMaps of the service: its environment variables and its alert thresholds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core import v1 as core

from infra.component import Component, Environment
from infra.settings.service import Threshold, ThresholdSettings
from infra.workload.namespace import Namespace, kubernetes_labels

VARIABLES = "configuration"
FILES = "thresholds"
FILES_DIR = "/etc/kingdom"
THRESHOLDS_FILE = "thresholds.json"


@dataclass(frozen=True, slots=True)
class ConfigMapsArgs:
    """The environment, the namespace, the variables by name, and the thresholds of ALR1 to ALR5."""

    environment: Environment
    namespace: Namespace
    variables: Mapping[str, pulumi.Input[str]]
    thresholds: ThresholdSettings


class ConfigMaps(Component):
    """Two ConfigMaps: `VARIABLES` are environment variables of a pod, `FILES` is mounted at `FILES_DIR`.

    `ready` precedes the pods. `digest` is a hash of the variables and part of every pod template, so a
    changed variable rolls the pods. Thresholds are changed in place: pods reload them.
    """

    def __init__(self, name: str, args: ConfigMapsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:workload:Configuration", name, opts)
        variables = {**args.variables, "KINGDOM_THRESHOLDS_FILE": f"{FILES_DIR}/{THRESHOLDS_FILE}"}
        files = {THRESHOLDS_FILE: json.dumps(thresholds(args.thresholds), indent=2) + "\n"}
        self.ready: list[pulumi.Resource] = [
            core.ConfigMap(
                key,
                metadata={
                    "name": key,
                    "namespace": args.namespace.metadata_name,
                    "labels": kubernetes_labels(args.environment),
                },
                data=data,
                opts=self.child(depends_on=args.namespace.ready),
            )
            for key, data in ((VARIABLES, variables), (FILES, files))
        ]
        self.digest = pulumi.Output.json_dumps(variables, sort_keys=True).apply(
            lambda text: hashlib.sha256(text.encode()).hexdigest()
        )
        self.register_outputs({})


def thresholds(settings: ThresholdSettings) -> dict[str, dict[str, float | str]]:
    """Return ALR1 to ALR5 in the format of the service: `warning`, `critical` and the `unit` of both."""

    def entry(threshold: Threshold, unit: str) -> dict[str, float | str]:
        return {"warning": threshold.warning, "critical": threshold.critical, "unit": unit}

    return {
        "cpu": entry(settings.cpu_percent, "percent"),
        "memory": entry(settings.memory_percent, "percent"),
        "responseTime": entry(settings.response_seconds, "seconds"),
        "errorRate": entry(settings.error_percent, "percent"),
        "databaseConnections": entry(settings.database_connections_percent, "percent"),
    }
