"""The cache at the edge: what each plan of Cloudflare offers, storage, and variants of images."""

from __future__ import annotations

from tests.infra.rehearsal import Declared, configuration


def test_cache_reserve_follows_its_setting(declared: Declared) -> None:
    wanted = "on" if configuration(declared.stack)["kingdom:edge"]["cacheReserve"] else "off"
    assert declared.one("ZoneCacheReserve")["value"] == wanted


def types(declared: Declared) -> set[str]:
    return {item.type.rpartition(":")[2] for item in declared.resources}


def test_only_the_enterprise_plan_has_regional_tiers(declared: Declared, varied: Declared) -> None:
    assert configuration(declared.stack)["kingdom:edge"]["plan"] != "enterprise"
    assert "RegionalTieredCache" not in types(declared), "Cloudflare returns error 1135 for other plans"
    assert varied.one("RegionalTieredCache")["value"] == "on"
    assert "TieredCache edge-cache" in varied.waits_for("RegionalTieredCache")


def test_without_cache_reserve_the_setting_is_declared_as_off(varied: Declared) -> None:
    assert varied.one("ZoneCacheReserve")["value"] == "off"
    assert "TieredCache edge-cache" in varied.waits_for("ZoneCacheReserve")


def test_each_accepted_format_is_a_variant_and_the_own_format_the_last(declared: Declared) -> None:
    formats = [f"image/{each}" for each in configuration(declared.stack)["kingdom:edge"]["imageFormats"]]
    assert declared.one("ZoneCacheVariants")["value"] == {
        "jpegs": [*formats, "image/jpeg"],
        "jpgs": [*formats, "image/jpeg"],
        "pngs": [*formats, "image/png"],
    }


def test_without_other_formats_there_are_no_variants(varied: Declared) -> None:
    assert "ZoneCacheVariants" not in types(varied)
