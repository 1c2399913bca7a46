"""Router: finds the resource of a path in a tree of path segments.

Starlette's router matches the pattern of each route in turn; with two dozen routes this costs as much as the
rest of a cached response. In a tree the cost does not depend on the number of routes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from app.http import problems
from app.http.problems import Problem


class Resource:
    """ASGI application of one path. ``by_method`` maps each HTTP method to its application.

    ``HEAD`` is served by the application of ``GET``. Raises :class:`Problem` (405) for other methods.
    """

    def __init__(self, path: str, by_method: Mapping[str, ASGIApp]) -> None:
        self.path = path
        self.parameters = tuple(segment[1:-1] for segment in path.split("/") if segment.startswith("{"))
        self._by_method = dict(by_method)
        if "GET" in self._by_method:
            self._by_method["HEAD"] = self._by_method["GET"]
        self._allow = ", ".join(sorted(self._by_method))

    # Returns the awaitable instead of being a coroutine, as in Router: each coroutine layer costs time.
    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        scope["route"] = self.path
        app = self._by_method.get(scope["method"])
        if app is None:
            raise Problem(problems.METHOD_NOT_ALLOWED, f"Use {self._allow}.", headers={"allow": self._allow})
        return app(scope, receive, send)


class _Node:
    """Node of the tree: children by literal segment, one child for a parameter, and the resource."""

    __slots__ = ("literals", "parameter", "resource")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.resource: Resource | None = None


class Router:
    """ASGI application that dispatches requests to resources by path.

    ``{name}`` in a path matches one non-empty segment, which is passed in ``scope["path_params"]``. A literal
    segment takes precedence over a parameter. Raises :class:`Problem` (404) for an unknown path.
    """

    def __init__(self, resources: Sequence[Resource]) -> None:
        self._root = _Node()
        for resource in resources:
            self._add(resource)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        segments, values = scope["path"].split("/"), list[str]()
        resource = _find_without_backtracking(self._root, segments, values)
        if resource is None:
            values = []
            resource = _find(self._root, segments, 0, values)
        if resource is None:
            raise Problem(problems.NOT_FOUND, "No such path.")
        names = resource.parameters
        # One is the usual number, and the general form costs more.
        scope["path_params"] = (
            {names[0]: values[0]} if len(names) == 1 else dict(zip(names, values, strict=True))
        )
        return resource(scope, receive, send)

    def _add(self, resource: Resource) -> None:
        node = self._root
        for segment in resource.path.split("/"):
            if segment.startswith("{"):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment, _Node())
        assert node.resource is None, f"duplicate path: {resource.path}"
        node.resource = resource


def _find_without_backtracking(node: _Node, segments: list[str], values: list[str]) -> Resource | None:
    """Fast path of :func:`_find` that always prefers literals; sufficient for almost all requests."""
    for segment in segments:
        child = node.literals.get(segment)
        if child is None:
            child = node.parameter
            if child is None or not segment:
                return None
            values.append(segment)
        node = child
    return node.resource


def _find(node: _Node, segments: list[str], at: int, values: list[str]) -> Resource | None:
    """Return the resource of ``segments[at:]`` below ``node``; append parameter values to ``values``."""
    if at == len(segments):
        return node.resource
    segment = segments[at]
    child = node.literals.get(segment)
    if child is not None:
        found = _find(child, segments, at + 1, values)
        if found is not None:
            return found
    if node.parameter is None or not segment:
        return None
    values.append(segment)
    found = _find(node.parameter, segments, at + 1, values)
    if found is None:
        values.pop()
    return found
