"""Resource types that providers pass to the host to be emulated by processes."""

from __future__ import annotations

from typing import Final

_PREFIXES = ("kubernetes:", "cloudflare:")


class EmulatedTypes(frozenset[str]):
    """Set of emulated types: single type tokens, and packages of which all types are emulated."""

    def __contains__(self, item: object) -> bool:
        return frozenset.__contains__(self, item) or (isinstance(item, str) and item.startswith(_PREFIXES))


EMULATED_TYPES: Final = EmulatedTypes(
    {
        "gcp:redis/instance:Instance",
        "gcp:secretmanager/secret:Secret",
        "gcp:secretmanager/secretVersion:SecretVersion",
        "gcp:storage/bucket:Bucket",
        "mongodbatlas:index/advancedCluster:AdvancedCluster",
        "mongodbatlas:index/x509AuthenticationDatabaseUser:X509AuthenticationDatabaseUser",
    }
)
