"""Quotas of plans."""

from __future__ import annotations

from app.auth.roles import MAX_UPLOAD_BYTES, PLAN_QUOTAS, Plan


def test_every_plan_has_quotas_that_grow_with_it() -> None:
    assert list(PLAN_QUOTAS) == list(Plan)
    free, creator, studio = PLAN_QUOTAS.values()
    assert free.unfinished < creator.unfinished < studio.unfinished
    assert free.media_bytes < creator.media_bytes < studio.media_bytes
    assert free.upload_bytes < creator.upload_bytes <= studio.upload_bytes == MAX_UPLOAD_BYTES


def test_an_upload_fits_into_the_media_of_its_plan() -> None:
    assert all(quota.upload_bytes <= quota.media_bytes for quota in PLAN_QUOTAS.values())
