"""Three dashboards: system, application and business metrics."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_gcp import monitoring

from infra.component import Component, Environment
from infra.observability.signals import Panel, Signals

COLUMNS, WIDTH, HEIGHT = 48, 24, 16


@dataclass(frozen=True, slots=True)
class DashboardsArgs:
    """The environment and the declared signals."""

    environment: Environment
    signals: Signals


class Dashboards(Component):
    """The dashboards of system, application and business metrics, as MON1 to MON3 require."""

    def __init__(self, name: str, args: DashboardsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:observability:Dashboards", name, opts)
        for key, panels in args.signals.dashboards.items():
            title = f"Kingdom {args.environment.name}: {key}"
            monitoring.Dashboard(
                f"{name}-{key}",
                project=args.environment.project,
                dashboard_json=json.dumps(dashboard(title, args.environment.labels, panels)),
                opts=self.child(),
            )
        self.register_outputs({})


def dashboard(title: str, labels: Any, panels: Sequence[Panel]) -> dict[str, Any]:
    """Return a Cloud Monitoring dashboard with two charts per row."""
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
    """Return a chart with its lines and thresholds."""
    limits = panel.threshold
    return {
        "dataSets": [
            {
                "plotType": "LINE",
                "targetAxis": "Y1",
                # Without a template, a line is named by its labels.
                **({"legendTemplate": legend} if legend and not signal.by else {}),
                "timeSeriesQuery": {"prometheusQuery": signal.query, "unitOverride": signal.unit},
            }
            for legend, signal in panel.lines.items()
        ],
        "thresholds": []
        if limits is None
        else [
            {"label": "warning", "value": limits.warning, "color": "YELLOW", "direction": "ABOVE"},
            {"label": "critical", "value": limits.critical, "color": "RED", "direction": "ABOVE"},
        ],
        "yAxis": {"label": panel.unit, "scale": "LINEAR"},
    }
