"""Minimal SDK of the fake provider, imported by the programs of these tests."""

from __future__ import annotations

from typing import Any

import pulumi

OUTPUTS = ("auto", "computed", "token", "value", "fixed", "name")


class Thing(pulumi.CustomResource):
    """A resource of the fake provider; keyword arguments are its inputs."""

    auto: pulumi.Output[str]
    computed: pulumi.Output[str]
    token: pulumi.Output[str]
    value: pulumi.Output[Any]
    fixed: pulumi.Output[Any]

    def __init__(
        self,
        resource_name: str,
        opts: pulumi.ResourceOptions | None = None,
        kind: str = "toy:index:Thing",
        **inputs: Any,
    ) -> None:
        super().__init__(kind, resource_name, {**dict.fromkeys(OUTPUTS), **inputs}, opts)


class Group(pulumi.ComponentResource):
    """A component of the program."""

    def __init__(
        self, resource_name: str, opts: pulumi.ResourceOptions | None = None, kind: str = "my:index:Group"
    ) -> None:
        super().__init__(kind, resource_name, None, opts)


class Provider(pulumi.ProviderResource):
    """An explicit instance of the fake provider."""

    def __init__(self, resource_name: str, opts: pulumi.ResourceOptions | None = None, **config: Any) -> None:
        super().__init__("toy", resource_name, config, opts)
