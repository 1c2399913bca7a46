"""Google identities of the service, and the secrets in Secret Manager that they may read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_random as random
from pulumi_gcp import secretmanager, serviceaccount, storage

from infra.component import Component, Environment
from infra.kms import Keys, Use
from infra.settings.roles import ROLES
from infra.settings.service import IdentitySettings

MAIL_PASSWORD = "smtp-password"  # noqa: S105 (a file name)


@dataclass(frozen=True, slots=True)
class IdentityArgs:
    """The environment, the keys, the service's namespace, its bucket, and secrets of other components.

    `secrets` maps the file name the service reads to its content. `mail_password` is the version of the mail
    server's password, which an operator adds; 0 for none.
    """

    environment: Environment
    keys: Keys
    settings: IdentitySettings
    namespace: str
    bucket: pulumi.Input[str]
    secrets: Mapping[str, pulumi.Input[str]]
    mail_password: int = 0


class Identity(Component):
    """One Google identity for each role, and secrets that exactly these identities can read.

    `accounts` are e-mail addresses by role; `versions` the full names of secret versions by file name.
    """

    def __init__(self, name: str, args: IdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:service_identity:Identity", name, opts)
        environment = args.environment
        contents = {**args.secrets, "session-key": self._session_keys(args.settings.session_key_generation)}

        accounts = {role: self._account(role, args) for role in ROLES}
        versions: dict[str, pulumi.Output[str]] = {}
        readable: list[pulumi.Resource] = []
        for file, content in contents.items():
            secret = regional_secret(self, file, environment, args.keys)
            readable += self._readers(file, secret, accounts)
            version = secretmanager.SecretVersion(
                f"{name}-{secret_id(file)}",
                secret=secret.id,
                secret_data=content,
                # The previous version stays readable until every pod uses the new one.
                deletion_policy="ABANDON" if environment.protect else "DELETE",
                opts=self.child(),
            )
            versions[file] = version.name
        if args.mail_password:
            # The operator of the mail server sets the password: neither the state nor a stack file contains
            # it.
            secret = regional_secret(self, MAIL_PASSWORD, environment, args.keys)
            readable += self._readers(MAIL_PASSWORD, secret, accounts)
            versions[MAIL_PASSWORD] = pulumi.Output.concat(secret.name, f"/versions/{args.mail_password}")

        self.accounts = {role: account.email for role, account in accounts.items()}
        self.versions = versions
        self.readable = readable
        self.register_outputs({"accounts": self.accounts})

    def _readers(
        self, file: str, secret: secretmanager.Secret, accounts: Mapping[str, serviceaccount.Account]
    ) -> list[pulumi.Resource]:
        return [
            secretmanager.SecretIamMember(
                f"{self.name}-{secret_id(file)}-{role}",
                secret_id=secret.id,
                role="roles/secretmanager.secretAccessor",
                member=account.member,
                opts=self.child(),
            )
            for role, account in accounts.items()
        ]

    def _session_keys(self, generation: int) -> pulumi.Output[str]:
        """Create the keys of sessions, one per line: the first signs, all of them verify.

        The next key is distributed before it signs, so that every running pod can verify it when the setting
        is raised. The previous key stays valid for the sessions that it signed.
        """
        order = [generation, generation + 1, *([generation - 1] if generation > 1 else [])]
        # The 64 letters and digits of a password are valid base64: 48 bytes with 381 random bits.
        # `RandomBytes` is not usable: its id is its value, and ids are not encrypted in the state
        # (pulumi#8946).
        keys = [
            random.RandomPassword(
                f"{self.name}-session-key-{number}", length=64, special=False, opts=self.child()
            ).result
            for number in order
        ]
        return pulumi.Output.secret(pulumi.Output.all(*keys).apply("\n".join))

    def _account(self, role: str, args: IdentityArgs) -> serviceaccount.Account:
        environment = args.environment
        account, _ = workload_identity(self, role, environment, args.namespace)
        storage.BucketIAMMember(
            f"{self.name}-{role}-media",
            bucket=args.bucket,
            role="roles/storage.objectUser",
            member=account.member,
            opts=self.child(),
        )
        return account


def regional_secret(
    owner: Component, file: str, environment: Environment, keys: Keys
) -> secretmanager.Secret:
    """Declare the secret that pods read from `file`, without a version, below `owner`."""
    return secretmanager.Secret(
        f"{owner.name}-{secret_id(file)}",
        secret_id=secret_id(file),
        replication={
            "user_managed": {
                "replicas": [
                    {
                        "location": environment.region,
                        # Disabling one key makes every secret unreadable at once.
                        "customer_managed_encryption": {"kms_key_name": keys.ids[Use.SECRETS]},
                    }
                ]
            }
        },
        labels=environment.label("identity"),
        deletion_protection=environment.protect,
        opts=owner.child(protect=environment.protect, depends_on=keys.ready[Use.SECRETS]),
    )


def workload_identity(
    owner: Component, role: str, environment: Environment, namespace: str
) -> tuple[serviceaccount.Account, serviceaccount.IAMMember]:
    """Declare the Google identity of a role, and the grant by which its pods act as it, below `owner`."""
    account = serviceaccount.Account(
        f"{owner.name}-{role}",
        account_id=f"kingdom-{role}",
        display_name=f"The {role} role of the service",
        opts=owner.child(),
    )
    # Only the Kubernetes account of the same name may act as this identity; the identity has no key.
    federated = serviceaccount.IAMMember(
        f"{owner.name}-{role}-workload",
        service_account_id=account.name,
        role="roles/iam.workloadIdentityUser",
        member=f"serviceAccount:{environment.project}.svc.id.goog[{namespace}/{role}]",
        opts=owner.child(),
    )
    return account, federated


def secret_id(file: str) -> str:
    """Secret Manager name of the secret that the service reads from `file`."""
    return f"kingdom-{file.removesuffix('.pem')}"
