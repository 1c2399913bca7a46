"""The rehearsal clouds: Pulumi providers that check, plan and record; a machine makes some of it real."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from rehearsal.clouds.cloudflare import Cloudflare
from rehearsal.clouds.gcp import Google
from rehearsal.clouds.kubernetes import Kubernetes
from rehearsal.clouds.mongodbatlas import Atlas
from rehearsal.clouds.provider import Cloud
from rehearsal.clouds.random import Random
from rehearsal.clouds.realised import Machine

_CLOUDS: Final[Mapping[str, Callable[[Machine | None], Cloud]]] = {
    "cloudflare": Cloudflare,
    "gcp": Google,
    "kubernetes": Kubernetes,
    "mongodbatlas": Atlas,
    "random": Random,
}
PACKAGES: Final = tuple(_CLOUDS)


def provider(package: str, machine: Machine | None = None) -> Cloud:
    """A new provider of `package`, one of :data:`PACKAGES`. Raises KeyError for another.

    With a `machine`, the resources it can make real are handed to it.
    """
    return _CLOUDS[package](machine)
