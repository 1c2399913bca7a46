"""Overload protection: components with the settings; tasks and metrics end with the context."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network
from typing import Any

import pytest
from redis.asyncio import Redis

from app.protection import open_protection
from app.settings import ProtectionSettings
from app.telemetry import metrics

pytestmark = pytest.mark.anyio
REDIS = Redis()  # not connected


def exported() -> set[str]:
    lines = metrics.render().decode().splitlines()
    return {line.split()[2] for line in lines if line.startswith("# TYPE")}


async def test_tasks_and_metrics_end_with_the_context() -> None:
    tasks, before = asyncio.all_tasks(), exported()
    async with open_protection(ProtectionSettings(), REDIS):
        started = asyncio.all_tasks() - tasks
        assert len(started) == 2
        new = exported() - before
        assert {"kingdom_concurrency_limit", "kingdom_deadlines_exceeded_total"} <= new
        assert b"\nkingdom_event_loop_tasks 0.0\n" not in metrics.render()
    await asyncio.wait(started, timeout=5)
    assert all(task.cancelled() for task in started)
    assert exported() == before


async def test_metrics_end_also_after_an_exception() -> None:
    before = exported()
    with pytest.raises(ValueError, match="stopped"):
        async with open_protection(ProtectionSettings(), REDIS):
            raise ValueError("stopped")
    assert exported() == before


async def test_settings_are_those_of_the_components() -> None:
    settings = ProtectionSettings(trusted_proxies=(ip_network("10.0.0.0/8"),), limits_factor=3.0)
    async with open_protection(ProtectionSettings(), REDIS) as usual:
        pass
    async with open_protection(settings, REDIS) as protection:
        ((limit, _),) = protection.policies.reset("ada")
        ((usual_limit, _),) = usual.policies.reset("ada")
        assert limit.limit == 3 * usual_limit.limit
        scope: dict[str, Any] = {
            "type": "http",
            "client": ("10.1.2.3", 1),
            "headers": [(b"x-forwarded-for", b"192.0.2.7")],
        }
        assert protection.client_addresses.find(scope) == "192.0.2.7"
        assert usual.client_addresses.find(scope) == "10.1.2.3"
