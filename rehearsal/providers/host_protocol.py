"""The interface of the host that the providers call, so that neither package imports the other."""

from __future__ import annotations

from typing import Any, Protocol


class EmulationHost(Protocol):
    """Emulates declared resources on this host; `rehearsal.host.client.Machine` is one.

    `inputs` are plain JSON values: no secrets, no unknowns. A resource that cannot become ready raises an
    exception with a list of readable `reasons`.
    """

    @property
    def EMULATED_TYPES(self) -> frozenset[str]:
        """The resource types that the host emulates."""
        ...

    def apply(
        self,
        urn: str,
        type_: str,
        id_: str,
        inputs: dict[str, Any],
        /,
        *,
        timeout: float,
    ) -> dict[str, Any]:
        """Create or update the resource and block until it is ready, at most `timeout` seconds.

        Return its real outputs, which override the simulated ones.
        """
        ...

    def delete(self, urn: str, type_: str, id_: str, /) -> None:
        """Delete the emulated resource if it exists."""
        ...

    def read(self, urn: str, type_: str, id_: str, /) -> dict[str, Any] | None:
        """Return the outputs of the emulated resource, or None if it does not exist."""
        ...

    def cancel(self) -> None:
        """Make every `apply` in progress raise an exception immediately."""
        ...
