"""Filters of the cache, and the routes that do not pass them."""

from __future__ import annotations

from pathlib import Path

from rehearsal.host.envoy import response_cache


def test_files_of_the_cache_are_bounded_in_size_and_number(tmp_path: Path) -> None:
    hosts, cache, rules = response_cache.filters(tmp_path)
    files = cache["typed_config"]["typed_config"]
    assert files["@type"].endswith("FileSystemHttpCacheConfig")
    assert files["cache_path"] == str(tmp_path)
    assert files["max_cache_size_bytes"] == response_cache.MAX_BYTES
    assert files["max_cache_entry_count"] == response_cache.MAX_ENTRIES
    # The host is normalized before the lookup, and the rule applied before the response is stored.
    assert "envoy_on_request" in hosts["typed_config"]["default_source_code"]["inline_string"]
    assert "envoy_on_response" in rules["typed_config"]["default_source_code"]["inline_string"]


def test_a_route_without_a_cache_rule_passes_no_filter_of_the_cache(tmp_path: Path) -> None:
    off = response_cache.disabled()
    assert set(off) == {each["name"] for each in response_cache.filters(tmp_path)}
    assert all(each["disabled"] is True for each in off.values())


def test_times_of_a_rule_are_metadata_of_its_route() -> None:
    (metadata,) = response_cache.enabled({"edge": "60"})["metadata"]["filter_metadata"].values()
    assert metadata == {"cache": {"on": True, "edge": "60"}}
    (metadata,) = response_cache.enabled()["metadata"]["filter_metadata"].values()
    assert metadata == {"cache": {"on": True}}


def test_copies_differ_by_the_headers_that_the_service_names(tmp_path: Path) -> None:
    _, cache, _ = response_cache.filters(tmp_path)
    allowed = cache["typed_config"]["allowed_vary_headers"]
    assert {item["exact"] for item in allowed} == {"accept", "accept-encoding", "accept-language", "origin"}
    assert all(item["ignore_case"] for item in allowed)
