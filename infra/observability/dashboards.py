"""Three dashboards: system, application and business metrics."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_gcp import monitoring

from infra.component import Component, Environment
from infra.observability.panels import Panel, application, business, system
from infra.settings.service import ThresholdSettings

COLUMNS, WIDTH, HEIGHT = 48, 24, 16


@dataclass(frozen=True, slots=True)
class DashboardsArgs:
    """The environment, the namespace of the service, and where charts turn yellow and red."""

    environment: Environment
    namespace: str
    thresholds: ThresholdSettings


class Dashboards(Component):
    """System, application and business, as MON1 to MON3 require."""

    def __init__(self, name: str, args: DashboardsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:observability:Dashboards", name, opts)
        for key, panels in {
            "system": system(args.namespace, args.thresholds),
            "application": application(args.namespace, args.thresholds),
            "business": business(),
        }.items():
            title = f"Kingdom {args.environment.name}: {key}"
            monitoring.Dashboard(
                f"{name}-{key}",
                project=args.environment.project,
                dashboard_json=json.dumps(dashboard(title, args.environment.labels, panels)),
                opts=self.child(),
            )
        self.register_outputs({})


def dashboard(title: str, labels: Any, panels: Sequence[Panel]) -> dict[str, Any]:
    """A Cloud Monitoring dashboard, two charts a row."""
    return {
        "displayName": title,
        "labels": dict(labels),
        "mosaicLayout": {
            "columns": COLUMNS,
            "tiles": [
                {
                    "xPos": index % 2 * WIDTH,
                    "yPos": index // 2 * HEIGHT,
                    "width": WIDTH,
                    "height": HEIGHT,
                    "widget": {"title": panel.title, "xyChart": chart(panel)},
                }
                for index, panel in enumerate(panels)
            ],
        },
    }


def chart(panel: Panel) -> dict[str, Any]:
    """One chart with its lines and thresholds."""
    limits = panel.threshold
    return {
        "dataSets": [
            {
                "plotType": "LINE",
                "targetAxis": "Y1",
                **({} if legend.startswith("by ") else {"legendTemplate": legend}),
                "timeSeriesQuery": {"prometheusQuery": query, "unitOverride": panel.unit},
            }
            for legend, query in panel.lines.items()
        ],
        "thresholds": []
        if limits is None
        else [
            {"label": "warning", "value": limits.warning, "color": "YELLOW", "direction": "ABOVE"},
            {"label": "critical", "value": limits.critical, "color": "RED", "direction": "ABOVE"},
        ],
        "yAxis": {"label": panel.unit, "scale": "LINEAR"},
    }
