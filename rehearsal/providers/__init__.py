"""Rehearsal clouds: Pulumi providers that check, plan and record; a host emulates some resources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from rehearsal.providers import dynamic
from rehearsal.providers.base import Cloud
from rehearsal.providers.cloudflare import Cloudflare
from rehearsal.providers.constraints.names import mapped_type
from rehearsal.providers.gcp.provider import Google
from rehearsal.providers.host_protocol import EmulationHost
from rehearsal.providers.kubernetes.declared_types import declared_inputs
from rehearsal.providers.kubernetes.provider import Kubernetes
from rehearsal.providers.mongodbatlas import Atlas
from rehearsal.providers.random import Random
from rehearsal.providers.schema import resolve_fields, resource_type

_CLOUDS: Final[Mapping[str, Callable[[EmulationHost | None], Cloud]]] = {
    "cloudflare": Cloudflare,
    "gcp": Google,
    "kubernetes": Kubernetes,
    "mongodbatlas": Atlas,
    "random": Random,
}
PACKAGES: Final = (*_CLOUDS, dynamic.PACKAGE)
CLOUDS: Final = tuple(_CLOUDS)  # those that can be served to the Pulumi CLI


def provider(package: str, machine: EmulationHost | None = None, folder: Path | None = None) -> Any:
    """Return a new provider of `package`, one of :data:`PACKAGES`. Raises KeyError for another.

    With a `machine`, the resources that it can emulate are passed to it. `folder` is that of the program,
    which contains the code of dynamic providers.
    """
    if package == dynamic.PACKAGE:
        return dynamic.DynamicProvider(folder)
    return _CLOUDS[package](machine)


def read_types(cls: type) -> None:
    """Read the declared types and the facts of the resource `cls` now, instead of on first use.

    Both are cached in this process and its forks. Other classes are skipped.
    """
    token = getattr(cls, "pulumi_type", None)
    if isinstance(token, str) and (declared := resource_type(token)) is not None:
        outputs = declared.outputs.values()
        resolve_fields([declared_inputs(token) or declared.inputs, *(field.type for field in outputs)])
        _ = declared.secret_outputs, [field.optional for field in outputs], mapped_type(token)
