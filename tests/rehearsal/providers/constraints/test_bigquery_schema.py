"""Schemas of BigQuery tables: equal ones, changes in place, and changes that need another table."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rehearsal.pulumi.properties import UNKNOWN
from tests.rehearsal.providers.calls import Calls, urn

TABLE = urn("gcp:bigquery/table:Table")
Column = dict[str, Any]


def column(name: str, kind: str = "STRING", **more: Any) -> Column:
    return {"name": name, "type": kind, **more}


def record(*fields: Column) -> Column:
    return column("r", "RECORD", fields=list(fields))


def table(*columns: Column, **more: Any) -> dict[str, Any]:
    return {"datasetId": "d", "tableId": "t", "schema": json.dumps(columns), **more}


EXTERNAL = {"externalDataConfiguration": {"autodetect": False, "sourceUris": ["gs://b/o"]}}
A, B = column("a"), column("b")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([A], [column("a", "INTEGER")]),
        ([A], [column("a", mode="REQUIRED")]),
        ([A], [column("a", mode="REPEATED")]),
        ([A], [A, column("b", mode="REQUIRED")]),
        ([A, B], [A, column("c")]),
        ([record(A, B)], [record(A)]),
        ([record(A)], [record(column("a", "DATE"))]),
        ([record(A)], [record(A, column("b", mode="REQUIRED"))]),
    ],
)
def test_change_that_the_table_cannot_have_replaces_it(
    gcp: Calls, old: list[Column], new: list[Column]
) -> None:
    assert list(gcp.diff(TABLE, table(*old), table(*new)).replaces) == ["schema"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([A], [A, B]),
        ([A, B], [A]),
        ([column("a", mode="REQUIRED")], [A]),
        ([A], [column("a", description="x")]),
        ([record(A)], [record(A, B)]),
        ([], [A]),
    ],
)
def test_change_that_the_table_can_have_is_an_update(
    gcp: Calls, old: list[Column], new: list[Column]
) -> None:
    response = gcp.diff(TABLE, table(*old), table(*new))
    assert not response.replaces
    assert list(response.diffs) == ["schema"]


def test_column_of_an_external_table_is_not_dropped_in_place(gcp: Calls) -> None:
    assert gcp.diff(TABLE, table(A, B, **EXTERNAL), table(A, **EXTERNAL)).replaces
    assert not gcp.diff(TABLE, table(A, **EXTERNAL), table(A, B, **EXTERNAL)).replaces


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([A, B], [B, A]),
        ([record(A, B)], [record(B, A)]),
        ([column("a", "INTEGER")], [column("a", "int64")]),
        ([column("a", "FLOAT64")], [column("a", "FLOAT")]),
        ([A], [column("a", mode="NULLABLE")]),
        ([A], [column("a", description="")]),
        ([column("a", policyTags={"names": []})], [A]),
        ([column("a", collation="und:ci")], [A]),
    ],
)
def test_equal_schemas_are_not_a_change(gcp: Calls, old: list[Column], new: list[Column]) -> None:
    assert not gcp.diff(TABLE, table(*old), table(*new)).diffs


def test_schema_that_is_absent_or_unknown_replaces_nothing(gcp: Calls) -> None:
    without = {"datasetId": "d", "tableId": "t"}
    assert not gcp.diff(TABLE, table(A), without).diffs
    assert not gcp.diff(TABLE, without, table(A)).replaces
    assert not gcp.diff(TABLE, table(A), without | {"schema": UNKNOWN}).replaces


def test_type_of_a_foreign_column_does_not_matter(gcp: Calls) -> None:
    old, new = (column("a", kind, foreignTypeDefinition="x", description=kind) for kind in ("STRING", "DATE"))
    assert not gcp.diff(TABLE, table(old), table(new)).replaces
