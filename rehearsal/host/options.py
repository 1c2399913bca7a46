"""The settings of a machine: the section `rehearsal:machine` of a stack file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.host.errors import OptionsError

DEFAULT_EDGE_PORT = 8443


@dataclass(frozen=True)
class MachineOptions:
    """`edge_port` is the TCP port on the loopback interface where the platform answers over TLS."""

    edge_port: int = DEFAULT_EDGE_PORT

    @classmethod
    def from_config(cls, section: Mapping[str, Any]) -> MachineOptions:
        """The options of the object `rehearsal:machine`. Raises OptionsError listing all that is wrong."""
        reasons = [
            f"rehearsal:machine.{key} is not known: the only setting is edgePort"
            for key in section
            if key != "edgePort"
        ]
        port = section.get("edgePort", DEFAULT_EDGE_PORT)
        if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65535:
            reasons.append(f"rehearsal:machine.edgePort is {port!r}: it must be a port, 1 to 65535")
        if reasons:
            raise OptionsError(reasons)
        return cls(edge_port=port)
