"""The log bucket of the project: its retention, and indexes of fields that the service logs."""

from __future__ import annotations

from app.telemetry import context
from tests.infra.rehearsal import Declared, configuration


def test_logs_are_retained_for_the_configured_days(declared: Declared) -> None:
    wanted = configuration(declared.stack)["kingdom:observability"]["logDays"]
    assert declared.one("ProjectBucketConfig")["retentionDays"] == wanted


def test_the_retention_applies_to_the_default_bucket_of_the_project(declared: Declared) -> None:
    bucket = declared.one("ProjectBucketConfig")
    assert (bucket["bucketId"], bucket["location"]) == ("_Default", "global")
    assert bucket["project"] == configuration(declared.stack)["gcp:project"]


def test_indexed_fields_are_logged_by_the_service(declared: Declared) -> None:
    token = context.current.set({"request_id": "r", "trace_id": "t"})
    try:
        line, trace = context.merge(None, "", {}), context.trace()
    finally:
        context.current.reset(token)
    indexed = {
        index["fieldPath"].removeprefix("jsonPayload.")
        for index in declared.one("ProjectBucketConfig")["indexConfigs"]
    }
    assert indexed == set(line)
    assert trace == "t"
