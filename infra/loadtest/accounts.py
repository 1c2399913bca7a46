"""Existing accounts for a load test: a secret that an operator fills, readable by the load test only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
from pulumi_gcp import secretmanager

from infra.component import Component, Environment
from infra.kms import Keys
from infra.service_identity import regional_secret, workload_identity
from infra.settings.roles import LOAD_TEST

ACCOUNTS: Final = "loadtest-accounts"
"""The file of the secret `kingdom-loadtest-accounts`: a JSON array of objects with `email` and `password`."""


@dataclass(frozen=True, slots=True)
class AccountsArgs:
    """The environment, the keys, the namespace of the load test, and the version of the secret."""

    environment: Environment
    keys: Keys
    namespace: str
    version: int


class Accounts(Component):
    """Secret and identity. `account` is the identity's e-mail address; `versions` has the secret's version
    by file name; `ready` precedes pods."""

    def __init__(self, name: str, args: AccountsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:loadtest:Accounts", name, opts)
        account, federated = workload_identity(self, LOAD_TEST, args.environment, args.namespace)
        secret = regional_secret(self, ACCOUNTS, args.environment, args.keys)
        reads = secretmanager.SecretIamMember(
            f"{name}-reader",
            secret_id=secret.id,
            role="roles/secretmanager.secretAccessor",
            member=account.member,
            opts=self.child(),
        )
        self.account = account.email
        self.versions = {ACCOUNTS: pulumi.Output.concat(secret.name, f"/versions/{args.version}")}
        self.ready: list[pulumi.Resource] = [federated, reads]
        self.register_outputs({"account": self.account})
