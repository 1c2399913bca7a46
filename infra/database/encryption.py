"""Encryption of the database with a customer-managed key."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_mongodbatlas as atlas
from pulumi_gcp import kms

from infra.component import Component
from infra.kms import Keys, Use

ROLES = {
    "use": "roles/cloudkms.cryptoKeyEncrypterDecrypter",
    "see": "roles/cloudkms.viewer",  # Atlas checks that the key version in use is still enabled
}


@dataclass(frozen=True, slots=True)
class DatabaseKeyArgs:
    """The Atlas project and the keys."""

    project: pulumi.Input[str]
    keys: Keys


class DatabaseKey(Component):
    """Grants one key to Atlas' own identity and enables encryption with it. `ready` precedes the cluster."""

    def __init__(self, name: str, args: DatabaseKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:database:DatabaseKey", name, opts)
        key = args.keys.keys[Use.DATABASE]
        setup = atlas.CloudProviderAccessSetup(
            name, project_id=args.project, provider_name="GCP", opts=self.child()
        )
        identity = setup.gcp_configs.apply(
            lambda found: (found[0].service_account_for_atlas if found else None) or ""
        )
        grants = [
            kms.CryptoKeyIAMMember(
                f"{name}-{use}",
                crypto_key_id=key.id,
                role=role,
                member=pulumi.Output.concat("serviceAccount:", identity),
                opts=self.child(),
            )
            for use, role in ROLES.items()
        ]
        authorization = atlas.CloudProviderAccessAuthorization(
            name, project_id=args.project, role_id=setup.role_id, opts=self.child(depends_on=grants)
        )
        self.ready = atlas.EncryptionAtRest(
            name,
            project_id=args.project,
            google_cloud_kms_config={
                "enabled": True,  # otherwise Atlas uses its own key, which cannot be revoked here
                "role_id": authorization.role_id,
                # The primary version: after a rotation, an update makes Atlas re-encrypt its keys.
                "key_version_resource_id": pulumi.Output.all(key.id, key.primaries).apply(
                    lambda found: found[1][0]["name"] if found[1] else f"{found[0]}/cryptoKeyVersions/1"
                ),
            },
            opts=self.child(depends_on=grants),
        )
        self.register_outputs({})
