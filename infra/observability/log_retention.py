"""Retention and location of logs."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_gcp import logging

from infra.component import Component, Environment


@dataclass(frozen=True, slots=True)
class LogRetentionArgs:
    """The environment, and the retention of logs in days."""

    environment: Environment
    days: int


class LogRetention(Component):
    """The project's log bucket: retained for the configured number of days, searchable with SQL."""

    def __init__(self, name: str, args: LogRetentionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:observability:Logs", name, opts)
        logging.ProjectBucketConfig(
            name,
            project=args.environment.project,
            location="global",
            bucket_id="_Default",
            retention_days=args.days,
            enable_analytics=True,  # SQL queries over logs
            index_configs=[
                # Indexed fields: searches by request and by account.
                {"field_path": "jsonPayload.trace_id", "type": "INDEX_TYPE_STRING"},
                {"field_path": "jsonPayload.request_id", "type": "INDEX_TYPE_STRING"},
            ],
            opts=self.child(),
        )
        self.register_outputs({})
