"""Settings of the host: the section `rehearsal:machine` of a stack file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.host.errors import OptionsError

DEFAULT_EDGE_PORT = 8443


@dataclass(frozen=True)
class MachineOptions:
    """`edge_port` is the TCP port on the loopback interface where the platform serves over TLS.

    `web_app` is the folder of a built web app, relative to the project, which the edge serves below `/app/`;
    empty for none.
    """

    edge_port: int = DEFAULT_EDGE_PORT
    web_app: str = ""

    @classmethod
    def from_config(cls, section: Mapping[str, Any]) -> MachineOptions:
        """Parse the object `rehearsal:machine`. Raises OptionsError listing every problem."""
        reasons = [
            f"rehearsal:machine.{key} is not known: the settings are edgePort and webApp"
            for key in section
            if key not in {"edgePort", "webApp"}
        ]
        port = section.get("edgePort", DEFAULT_EDGE_PORT)
        if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65535:
            reasons.append(f"rehearsal:machine.edgePort is {port!r}: it must be a port, 1 to 65535")
        web_app = section.get("webApp", "")
        if not isinstance(web_app, str) or web_app.startswith("/") or ".." in web_app.split("/"):
            reasons.append(
                f"rehearsal:machine.webApp is {web_app!r}: it must be a folder inside the project, "
                "such as mobile/dist/web"
            )
        if reasons:
            raise OptionsError(reasons)
        return cls(edge_port=port, web_app=web_app)
