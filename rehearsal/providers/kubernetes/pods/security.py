"""Checks of security contexts (`pkg/apis/core/validation/validation.go`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.providers.kubernetes.values import (
    items,
    known_text,
    mapping,
    missing,
    numbers,
    one_of,
    opened,
)
from rehearsal.providers.validation import Problem, problem
from rehearsal.pulumi.properties import UNKNOWN, Path

_IDS: Final = {"runAsUser": 0, "runAsGroup": 0, "fsGroup": 0}
_MAX_ID: Final = 2**31 - 1
# `SysctlContainSlashRegex`
_SYSCTL: Final = re.compile(r"[a-z0-9]([-_a-z0-9]*[a-z0-9])?([./][a-z0-9]([-_a-z0-9]*[a-z0-9])?)*")
_PROFILES: Final = ("appArmorProfile", "seccompProfile")


def security_problems(context: Any, path: Path) -> Iterator[Problem]:
    """Problems of the security context of a pod or a container at `path`."""
    context = opened(context)
    if not isinstance(context, Mapping):
        return
    yield from numbers(context, path, _IDS, _MAX_ID)
    yield from one_of(context, path, "fsGroupChangePolicy", ("Always", "OnRootMismatch"))
    yield from one_of(context, path, "supplementalGroupsPolicy", ("Merge", "Strict"))
    yield from one_of(context, path, "procMount", ("Default", "Unmasked"))
    for number, setting in enumerate(items(context.get("sysctls"))):
        name = known_text(mapping(setting).get("name"))
        if name is not None and not _SYSCTL.fullmatch(name):
            yield problem((*path, "sysctls", number, "name"), f"{name!r} is not the name of a sysctl")
    for name in _PROFILES:
        yield from _profile(mapping(context.get(name)), (*path, name))
    if opened(context.get("allowPrivilegeEscalation")) is False:
        at = (*path, "allowPrivilegeEscalation")
        if opened(context.get("privileged")) is True:
            yield problem(at, "must not be false where privileged is true")
        if "CAP_SYS_ADMIN" in items(mapping(context.get("capabilities")).get("add")):
            yield problem(at, "must not be false where CAP_SYS_ADMIN is added")


def _profile(profile: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    kind, file = opened(profile.get("type")), opened(profile.get("localhostProfile"))
    if kind == "Localhost" and missing(file):
        yield problem((*path, "localhostProfile"), "required where type is Localhost")
    elif kind not in ("Localhost", UNKNOWN, None) and file not in (None, UNKNOWN):
        yield problem((*path, "localhostProfile"), "may be set only where type is Localhost")
