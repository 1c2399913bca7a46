"""A policy pack that reports every resource with its complete inputs, to compare the engines' requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)


def _plain(value: Any) -> Any:
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in sorted(value.items())}
    return [_plain(item) for item in value]


def _urns(resources: list[PolicyResource]) -> list[str]:
    return sorted(item.urn for item in resources)


def resource(args: ResourceValidationArgs, report: ReportViolation) -> None:
    options = args.opts
    shown = {
        "name": args.name,
        "type": args.resource_type,
        "props": _plain(args.props),
        "protect": options.protect,
        "ignoreChanges": sorted(options.ignore_changes),
        "additionalSecretOutputs": sorted(options.additional_secret_outputs),
        "aliases": sorted(options.aliases),
        "parent": options.parent,
        "provider": args.provider and [args.provider.resource_type, args.provider.name],
    }
    report(json.dumps(shown, sort_keys=True), None)


def stack(args: StackValidationArgs, report: ReportViolation) -> None:
    for item in args.resources:
        shown = {
            "name": item.name,
            "type": item.resource_type,
            "props": _plain(item.props),
            "parent": item.parent and item.parent.urn,
            "dependencies": _urns(item.dependencies),
            "propertyDependencies": {
                key: _urns(value) for key, value in sorted(item.property_dependencies.items()) if value
            },
            "provider": item.provider and [item.provider.resource_type, item.provider.name],
        }
        report(json.dumps(shown, sort_keys=True), item.urn)


PolicyPack(
    "witness",
    [
        ResourceValidationPolicy("resource", "Every resource.", resource, EnforcementLevel.ADVISORY),
        StackValidationPolicy("stack", "Every resource of the stack.", stack, EnforcementLevel.ADVISORY),
    ],
)
