"""The SDK's server with three optimizations that do not change any result.

It filters policies by type, reads the state once, and reads its settings once. The SDK's ``Analyze`` runs
through every policy of the pack and parses the environment again for every resource, and ``AnalyzeStack``
builds the whole state again for every stack policy; with ninety policies and three hundred resources that is
nearly all of the pack's time.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable
from typing import Any, Final

import pulumi_policy.policy as sdk
from pulumi.runtime.proto import analyzer_pb2

from policies.pack.rule import Rule, at_hand, declare

# The attribute in which the SDK's server stores its policies.
_POLICIES: Final = "_PolicyAnalyzerServicer__policies"


def server_class(rules: Iterable[Rule]) -> type[Any]:
    """Return the SDK's server class with the optimizations for `rules`; other policies run as before."""
    by_name = {rule.name: rule for rule in rules}
    base: Any = sdk._PolicyAnalyzerServicer
    configured = threading.Event()

    class Server(base):  # type: ignore[misc]
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self._by_type: dict[str, list[Any]] = {}

        def _configure_runtime_settings(self) -> None:
            # gRPC runs each call in a new context, where the values of the first call are the defaults: the
            # SDK's `ContextProperty.fset` stores them as such, and there is one map of configuration.
            if not configured.is_set():
                super()._configure_runtime_settings()
                configured.set()

        def _chosen(self, resource_type: str) -> list[Any]:
            if resource_type not in self._by_type:
                self._by_type[resource_type] = [
                    policy
                    for policy in getattr(self, _POLICIES)
                    if policy.name not in by_name or by_name[policy.name].applies_to(resource_type)
                ]
            return self._by_type[resource_type]

        def Analyze(self, request: Any, context: Any) -> Any:  # noqa: N802 (the protocol's name)
            declare(request.urn, _props(request))
            return base.Analyze(_with(self, self._chosen(request.type)), request, context)

        def AnalyzeStack(self, request: Any, context: Any) -> Any:  # noqa: N802
            seen: list[Any] = []
            others = [policy for policy in getattr(self, _POLICIES) if policy.name not in by_name]
            ours = [policy for policy in getattr(self, _POLICIES) if policy.name in by_name]
            reader = sdk.StackValidationPolicy(
                "state", "Reads the state once.", lambda args, _: seen.extend(args.resources)
            )
            response = base.AnalyzeStack(_with(self, [reader, *others]), request, context)
            with at_hand(seen):
                empty = analyzer_pb2.AnalyzeStackRequest()
                response.MergeFrom(base.AnalyzeStack(_with(self, ours), empty, context))
            return response

    return Server


def _with(server: Any, policies: list[Any]) -> Any:
    """Return `server` with other policies, and its configuration."""
    narrowed = copy.copy(server)
    setattr(narrowed, _POLICIES, policies)
    return narrowed


def _props(request: Any) -> Any:
    """Return a request's properties as the SDK would pass them to a policy."""
    module: Any = sdk
    return module.unknown_checking_proxy(
        module.deserialize_properties(module.json_format.MessageToDict(request.properties))
    )


def serve_quickly(rules: Iterable[Rule]) -> None:
    """Make the policy packs of this process use the server of :func:`server_class`."""
    module: Any = sdk
    module._PolicyAnalyzerServicer = server_class(rules)
