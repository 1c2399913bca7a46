"""Default providers: one for each package and version that a program uses without naming a provider."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from rehearsal.engine.errors import SkippedError
from rehearsal.engine.goal import Goal
from rehearsal.engine.provider_versions import installed_version
from rehearsal.engine.state import ResourceState
from rehearsal.pulumi.properties import Properties
from rehearsal.pulumi.urn import PROVIDER_PREFIX, default_provider_name


class Defaults:
    """Registers each default provider once, with the configuration of its package. Thread-safe."""

    def __init__(
        self,
        stack: str,
        project: str,
        config: Mapping[str, Properties],
        register: Callable[[Goal], ResourceState],
    ) -> None:
        self._prefix = f"urn:pulumi:{stack}::{project}"
        self._config = config
        self._register = register
        self._known: dict[tuple[str, str], str | None] = {}  # None: it failed, which was reported
        self._lock = threading.Lock()

    def reference(self, package: str, version: str) -> str:
        """The reference of the package's default provider at `version`; registered on first use.

        Raises StepFailedError where that fails, and SkippedError ever after: the reason is said once.
        """
        version = version or installed_version(package)
        with self._lock:
            if (package, version) in self._known:
                if (known := self._known[(package, version)]) is None:
                    raise SkippedError
                return known
            self._known[(package, version)] = None
            inputs = dict(self._config.get(package, {}))
            if version:
                inputs["version"] = version
            type_, name = PROVIDER_PREFIX + package, default_provider_name(version)
            urn = f"{self._prefix}::{type_}::{name}"
            state = self._register(Goal(urn=urn, type=type_, name=name, custom=True, inputs=inputs))
            reference = f"{state.urn}::{state.id}"
            self._known[(package, version)] = reference
            return reference
