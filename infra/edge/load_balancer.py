"""Cloudflare load balancer: failover from the main origin to origins in other regions, or weighted shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_cloudflare as cloudflare

from infra.component import Component, Environment
from infra.settings.platform import EdgeSettings
from infra.settings.shutdown_timing import Termination

MAIN = "main"
MONITOR_SECONDS = 60  # two consecutive failures take two minutes, within the five minutes of REL1
MONITOR_FAILURES = 2
MONITOR_TIMEOUT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class EdgeBalancerArgs:
    """The environment, the main origin's address, and the settings of sessions and of draining."""

    environment: Environment
    address: pulumi.Input[str]
    settings: EdgeSettings
    affinity_seconds: int
    termination: Termination
    page: str


class EdgeBalancer(Component):
    """Monitor, one pool for each origin, load balancer, and an alert when an origin is lost."""

    def __init__(self, name: str, args: EdgeBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:edge:EdgeBalancer", name, opts)
        settings = args.settings
        self._args = args
        monitor = self._monitor()
        pools = {MAIN: self._pool(MAIN, args.address, monitor)} | {
            key: self._pool(key, standby.hostname, monitor) for key, standby in settings.standby.items()
        }
        weights = shares(settings)
        cloudflare.LoadBalancer(
            name,
            zone_id=settings.zone,
            name=settings.hostname,
            description=f"kingdom {args.environment.name}",
            proxied=True,  # the origins' addresses stay unknown
            # A pool receives requests while all pools before it are unhealthy.
            default_pools=[pool.id for pool in pools.values()],
            # If all pools are unhealthy, the main one is used: the monitor may be wrong.
            fallback_pool=pools[MAIN].id,
            **steering(pools, weights),
            # A request to an unreachable origin is retried at the next pool.
            adaptive_routing={"failover_across_pools": True},
            session_affinity="cookie",
            session_affinity_ttl=args.affinity_seconds,
            session_affinity_attributes={
                "samesite": "Lax",
                "secure": "Always",  # the cookie is sent over TLS only
                "drain_duration": args.termination.drain + args.termination.finish,
            },
            opts=self.child(),
        )
        cloudflare.NotificationPolicy(
            name,
            account_id=settings.account,
            name=f"kingdom {args.environment.name}: origin health changed",
            alert_type="load_balancing_health_alert",
            enabled=True,
            mechanisms={"emails": [{"id": args.page}]},
            filters={
                "pool_ids": [pool.id for pool in pools.values()],
                "event_sources": ["pool", "origin"],
                "new_healths": ["Unhealthy", "Healthy"],
            },
            opts=self.child(),
        )
        self.register_outputs({})

    def _monitor(self) -> cloudflare.LoadBalancerMonitor:
        """Create the monitor of all origins: the API's health over TLS."""
        settings = self._args.settings
        return cloudflare.LoadBalancerMonitor(
            self.name,
            account_id=settings.account,
            description=f"kingdom {self._args.environment.name}: API health",
            type="https",
            method="GET",
            path=settings.monitor_path,
            port=443,
            header={"Host": [settings.hostname]},
            expected_codes="200",
            follow_redirects=False,  # a redirect would be the response of another service
            allow_insecure=False,  # an origin with a wrong certificate is unhealthy
            interval=MONITOR_SECONDS,
            timeout=MONITOR_TIMEOUT_SECONDS,
            retries=2,
            consecutive_down=MONITOR_FAILURES,
            consecutive_up=MONITOR_FAILURES,
            opts=self.child(),
        )

    def _pool(
        self, key: str, address: pulumi.Input[str], monitor: cloudflare.LoadBalancerMonitor
    ) -> cloudflare.LoadBalancerPool:
        settings = self._args.settings
        return cloudflare.LoadBalancerPool(
            f"{self.name}-{key}",
            account_id=settings.account,
            name=f"kingdom-{self._args.environment.name}-{key}",
            description=f"kingdom {self._args.environment.name}: origin {key}",
            enabled=True,
            minimum_origins=1,
            monitor=monitor.id,
            # From two continents, so that one faulty route does not take an origin out of rotation.
            check_regions=["WEU", "ENAM"],
            origins=[
                {
                    "name": key,
                    "address": address,
                    "enabled": True,
                    "port": 443,
                    "weight": 1,
                    # Every origin has the certificate of the one public name.
                    "header": {"hosts": [settings.hostname]},
                }
            ],
            origin_steering={"policy": "least_outstanding_requests"},
            opts=self.child(),
        )


def shares(settings: EdgeSettings) -> dict[str, float]:
    """Return the share of requests that each origin gets, 0 to 1; the main one gets the remainder."""
    given = {key: standby.weight_percent / 100 for key, standby in settings.standby.items()}
    return {MAIN: round(1 - sum(given.values()), 2), **given}


def steering(pools: dict[str, cloudflare.LoadBalancerPool], weights: dict[str, float]) -> dict[str, Any]:
    """Return the steering policy: by weight if another origin has a share, otherwise strictly in order."""
    if weights[MAIN] == 1:
        return {"steering_policy": "off"}
    keys = list(pools)
    return {
        "steering_policy": "random",
        "random_steering": pulumi.Output.all(*(pools[key].id for key in keys)).apply(
            lambda ids: {
                "default_weight": 0.0,
                "pool_weights": {pool: weights[key] for pool, key in zip(ids, keys, strict=True)},
            }
        ),
    }
