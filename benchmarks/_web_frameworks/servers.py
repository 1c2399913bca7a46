"""``python servers.py NAME PORT``: a minimal application of one framework, on granian like the service.

It runs in the environment of the peers, so it imports nothing of this project and only the named framework.
The response is a JSON object of about 550 bytes, serialized for every request.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

_WORDS: Final = "the fox in the snow has seen a light behind the hill and goes on until the night is over "
PIECE: Final[dict[str, Any]] = {
    "id": "0193b6a0-6f5e-7cc1-8d3b-2f6a5a9d1c11",
    "state": "ready",
    "prompt": "a fox in the snow",
    "form": "story",
    "created_at": "2026-11-25T02:27:45.123456Z",
    "text": (_WORDS * 4)[:260],
    "image": "/v1/contents/0193b6a0-6f5e-7cc1-8d3b-2f6a5a9d1c11/image",
    "reason": None,
    "published_at": None,
}
_PATH: Final = "/v1/contents/{content_id}"


@dataclass
class Piece:
    """The response as a dataclass."""

    id: str
    state: str
    prompt: str
    form: str
    created_at: str
    text: str
    image: str | None
    reason: str | None
    published_at: str | None


def starlette() -> Any:
    """Return the application in Starlette."""
    responses, routing = import_module("starlette.responses"), import_module("starlette.routing")

    async def read(request: Any) -> Any:
        return responses.JSONResponse(PIECE)

    return import_module("starlette.applications").Starlette(routes=[routing.Route(_PATH, read)])


def fastapi() -> Any:
    """Return the application in FastAPI as in its tutorial: the handler returns a dictionary."""
    service = import_module("fastapi").FastAPI()

    async def read(content_id: str):  # noqa: ANN202, RUF100 (no type, as there)
        return PIECE

    service.get(_PATH)(read)
    return service


def fastapi_typed() -> Any:
    """Return the application in FastAPI with a Pydantic response model.

    Its OpenAPI document requires the model.
    """
    columns = {name: (kind, ...) for name, kind in Piece.__annotations__.items()}
    model: Any = import_module("pydantic").create_model("Piece", **columns)
    service = import_module("fastapi").FastAPI()

    async def read(content_id: str) -> Any:
        return model(**PIECE)

    service.get(_PATH, response_model=model)(read)
    return service


def litestar() -> Any:
    """Return the application in Litestar with a dataclass response."""
    library = import_module("litestar")

    async def read(content_id: str) -> Piece:
        return Piece(**PIECE)

    return library.Litestar(route_handlers=[library.get(_PATH.replace("}", ":str}"))(read)])


def blacksheep() -> Any:
    """Return the application in BlackSheep with a dataclass response."""
    service: Any = import_module("blacksheep").Application()

    async def read(content_id: str) -> Piece:
        return Piece(**PIECE)

    service.router.add_get(_PATH, read)
    return service


FRAMEWORKS: Final[dict[str, Callable[[], Any]]] = {
    "starlette": starlette,
    "fastapi": fastapi,
    "fastapi-typed": fastapi_typed,
    "litestar": litestar,
    "blacksheep": blacksheep,
}


async def serve(name: str, port: int) -> None:
    """Serve the named application until killed."""
    server = Server(
        FRAMEWORKS[name](),
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        backlog=1024,
        log_enabled=False,
    )
    await server.serve()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], int(sys.argv[2])))
