"""A provider of one resource type that speaks Terraform's plugin protocol: it tests the comparison itself.

``cloudflare_zone_dnssec`` has a required zone, whose change replaces, and a status, "active" or "disabled".
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc

from rehearsal.pulumi.properties import UNKNOWN
from tests.rehearsal.parity.terraform.protocol import METHODS, messages
from tests.rehearsal.parity.terraform.values import decode, encode

TYPE = "cloudflare_zone_dnssec"


def attribute(name: str, **flags: bool) -> Any:
    """An attribute of type text."""
    return messages["Attribute"](name=name, type=json.dumps("string").encode(), **flags)


def schema(request: Any) -> Any:
    """The schemas of the provider and of its type."""
    attributes = [
        attribute("zone_id", required=True),
        attribute("status", optional=True),
        attribute("ds", computed=True),
    ]
    block = messages["Block"](attributes=attributes)
    settings = [attribute("api_token", optional=True), attribute("base_url", optional=True)]
    config = messages["Block"](attributes=settings)
    return messages["schemaResponse"](
        provider=messages["Schema"](block=config),
        resource_schemas=[messages["SchemaEntry"](key=TYPE, value=messages["Schema"](block=block))],
    )


def configure(request: Any) -> Any:
    """Accept every configuration."""
    return messages["configureResponse"]()


def validate(request: Any) -> Any:
    """Refuse a status that is not one of the two."""
    config = decode(request.config.msgpack)
    if config["status"] in (None, UNKNOWN, "active", "disabled"):
        return messages["validateResponse"]()
    path = messages["AttributePath"](steps=[messages["Step"](attribute_name="status")])
    found = messages["Diagnostic"](severity=1, summary="invalid status", attribute=path)
    return messages["validateResponse"](diagnostics=[found])


def plan(request: Any) -> Any:
    """Plan a computed value for a new resource; require a new one for another zone."""
    prior, proposed = decode(request.prior_state.msgpack), decode(request.proposed_new_state.msgpack)
    response = messages["planResponse"]()
    if prior is None:
        proposed["ds"] = UNKNOWN
    elif prior["zone_id"] != proposed["zone_id"]:
        step = messages["Step"](attribute_name="zone_id")
        response.requires_replace.add().steps.append(step)
    response.planned_state.msgpack = encode(proposed)
    return response


def _behavior(call: Callable[[Any], Any]) -> Any:
    def respond(request: Any, context: Any) -> Any:
        return call(request)

    return respond


def _serialized(response: Any) -> bytes:
    return bytes(response.SerializeToString())


def main() -> None:
    """Serve until the process is ended; the first line is go-plugin's handshake."""
    handlers: dict[str, Callable[[Any], Any]] = {
        "schema": schema,
        "configure": configure,
        "validate": validate,
        "plan": plan,
    }
    server = grpc.server(futures.ThreadPoolExecutor(2))
    methods = {
        METHODS[6][name]: grpc.unary_unary_rpc_method_handler(
            _behavior(call),
            request_deserializer=messages[f"{name}Request"].FromString,
            response_serializer=_serialized,
        )
        for name, call in handlers.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tfplugin6.Provider", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"1|6|tcp|127.0.0.1:{port}|grpc|", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    sys.exit(main())
