"""Differences between the rehearsal and the Terraform providers that remain, each with its reason."""

from __future__ import annotations

from typing import Final

# By type token and the start of the case: a property path, optionally with the kind of mutation.
ACCEPTED: Final[dict[tuple[str, str], str]] = {
    (
        "gcp:secretmanager/secret:Secret",
        "secretId: absent",
    ): "the SDK is newer than the compared provider, and declares the property as optional",
    (
        "mongodbatlas:index/maintenanceWindow:MaintenanceWindow",
        "dayOfWeek: absent",
    ): "the SDK is newer than the compared provider, and declares the property as optional",
    (
        "mongodbatlas:index/maintenanceWindow:MaintenanceWindow",
        "hourOfDay: absent",
    ): "the SDK is newer than the compared provider, and declares the property as optional",
}

# Types that the provider changes again after it applied them to the loopback API, with the reason.
PERPETUAL: Final[dict[str, str]] = {}
