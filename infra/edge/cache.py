"""The edge cache: tiers and storage of responses, and image variants."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_cloudflare as cloudflare

from infra.component import Component
from infra.settings.platform import EdgeSettings
from infra.settings.types import CloudflarePlan


@dataclass(frozen=True, slots=True)
class EdgeCacheArgs:
    """The settings of the zone."""

    settings: EdgeSettings


class EdgeCache(Component):
    """Tiered cache, Cache Reserve, and a cached variant for each image format that clients accept."""

    def __init__(self, name: str, args: EdgeCacheArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:edge:EdgeCache", name, opts)
        settings = args.settings
        # Other data centers fetch through one near the origin, so an image is fetched once instead of once
        # per location.
        tiers = cloudflare.TieredCache(name, zone_id=settings.zone, value="on", opts=self.child())
        reserve = "on" if settings.cache_reserve else "off"
        if settings.plan is CloudflarePlan.ENTERPRISE:
            # Other plans can neither set nor read it: Cloudflare returns error 1135, for "off" too.
            cloudflare.RegionalTieredCache(
                name, zone_id=settings.zone, value="on", opts=self.child(depends_on=[tiers])
            )
        # Stored for a month without use; the tiers evict within days.
        cloudflare.ZoneCacheReserve(
            name, zone_id=settings.zone, value=reserve, opts=self.child(depends_on=[tiers])
        )
        if settings.image_formats:
            # Without variants, the format of the first response would be cached for all clients.
            formats = [f"image/{kind}" for kind in settings.image_formats]
            cloudflare.ZoneCacheVariants(
                name,
                zone_id=settings.zone,
                value={
                    "jpegs": [*formats, "image/jpeg"],
                    "jpgs": [*formats, "image/jpeg"],
                    "pngs": [*formats, "image/png"],
                },
                opts=self.child(),
            )
        self.register_outputs({})
