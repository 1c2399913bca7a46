"""Finds what answers a path, in a tree of its parts.

Starlette's router tries the pattern of each route in turn. Behind two dozen routes that costs as much as all
of a cached answer; here the last route costs what the first does, whatever features come after it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from app.http import problems
from app.http.problems import Problem


class Resource:
    """All the methods of one path, as an ASGI application; ``by_method`` has one for each of them."""

    def __init__(self, path: str, by_method: Mapping[str, ASGIApp]) -> None:
        self.path = path
        self.parameters = tuple(part[1:-1] for part in path.split("/") if part.startswith("{"))
        self._by_method = dict(by_method)
        if "GET" in self._by_method:
            self._by_method["HEAD"] = self._by_method["GET"]
        self._allow = ", ".join(sorted(self._by_method))

    # Not itself a coroutine, like Paths: each one around the work costs every request a little.
    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        scope["route"] = self.path
        app = self._by_method.get(scope["method"])
        if app is None:
            raise Problem(problems.METHOD_NOT_ALLOWED, f"Use {self._allow}.", headers={"allow": self._allow})
        return app(scope, receive, send)


class _Node:
    """What can follow a beginning of a path: certain parts, or any part."""

    __slots__ = ("any", "parts", "resource")

    def __init__(self) -> None:
        self.parts: dict[str, _Node] = {}
        self.any: _Node | None = None
        self.resource: Resource | None = None


class Paths:
    """The resources by path. ``{name}`` in a path stands for any one part of it that is not empty, which goes
    to ``scope["path_params"]``; a part that is written out wins over one that is not."""

    def __init__(self, resources: Sequence[Resource]) -> None:
        self._root = _Node()
        for resource in resources:
            self._add(resource)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        parts, values = scope["path"].split("/"), list[str]()
        resource = _follow(self._root, parts, values)
        if resource is None:
            values = []
            resource = _find(self._root, parts, 0, values)
        if resource is None:
            raise Problem(problems.NOT_FOUND, "No such path.")
        scope["path_params"] = dict(zip(resource.parameters, values, strict=True))
        return resource(scope, receive, send)

    def _add(self, resource: Resource) -> None:
        node = self._root
        for part in resource.path.split("/"):
            if part.startswith("{"):
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.parts.setdefault(part, _Node())
        assert node.resource is None, f"{resource.path} is there twice"
        node.resource = resource


def _follow(node: _Node, parts: list[str], values: list[str]) -> Resource | None:
    """As :func:`_find` without ever turning back, which is nearly always enough."""
    for part in parts:
        following = node.parts.get(part)
        if following is None:
            following = node.any
            if following is None or not part:
                return None
            values.append(part)
        node = following
    return node.resource


def _find(node: _Node, parts: list[str], at: int, values: list[str]) -> Resource | None:
    if at == len(parts):
        return node.resource
    part = parts[at]
    following = node.parts.get(part)
    if following is not None:
        found = _find(following, parts, at + 1, values)
        if found is not None:
            return found
    if node.any is None or not part:
        return None
    values.append(part)
    found = _find(node.any, parts, at + 1, values)
    if found is None:
        values.pop()
    return found
