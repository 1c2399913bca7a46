"""Default providers: one for each package and version that a program uses without naming a provider."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping

from rehearsal.engine.errors import SkippedError
from rehearsal.engine.goal import Goal
from rehearsal.engine.providers.versions import installed_version
from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.pulumi.properties import Properties
from rehearsal.pulumi.urn import PROVIDER_PREFIX, default_provider_name


class DefaultProviderDisabledError(Exception):
    """The configuration allows no default provider for a package."""


class DefaultProviders:
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
        self._known: dict[tuple[str, str, str], str | None] = {}  # None: it failed, which was reported
        self._lock = threading.Lock()

    def reference(self, package: str, version: str, download_url: str = "") -> str:
        """Return the reference of the package's default provider at `version`; register it on first use.

        Raises DefaultProviderDisabledError, StepFailedError if the registration fails, and SkippedError on
        later calls, so that the reason is reported once.
        """
        if self._disabled(package):
            raise DefaultProviderDisabledError(
                f"the default provider for {package!r} is disabled by pulumi:disable-default-providers;"
                " name an explicit provider"
            )
        version = version or installed_version(package)
        key = (package, version, download_url)
        with self._lock:
            if key in self._known:
                if (known := self._known[key]) is None:
                    raise SkippedError
                return known
            self._known[key] = None
            inputs = dict(self._config.get(package, {}))
            if version:
                inputs["version"] = version
            if download_url:
                inputs["__internal"] = {"pluginDownloadURL": download_url}
            type_, name = PROVIDER_PREFIX + package, default_provider_name(version, download_url)
            urn = f"{self._prefix}::{type_}::{name}"
            state = self._register(Goal(urn=urn, type=type_, name=name, custom=True, inputs=inputs))
            reference = f"{state.urn}::{state.id}"
            self._known[key] = reference
            return reference

    def _disabled(self, package: str) -> bool:
        """Return whether ``pulumi:disable-default-providers`` names `package`.

        This is ``shouldDenyRequest`` in the CLI.
        """
        text = self._config.get("pulumi", {}).get("disable-default-providers")
        if package == "pulumi" or not text:
            return False
        try:
            names = json.loads(text)
        except ValueError:
            names = None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise DefaultProviderDisabledError(
                f"pulumi:disable-default-providers must be a list of package names, not {text!r}"
            )
        return any(name.strip() in ("*", package) for name in names)
