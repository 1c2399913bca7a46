"""A state has no plaintext secrets: secret outputs by the SDK, generated values, and typical formats."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from rehearsal.engine.state.resource_state import ResourceState
from rehearsal.providers.schema import resource_type
from rehearsal.pulumi.properties import Secret, unwrap
from tests.infra.audits.finding import Finding, title
from tests.infra.rehearsal import strings

# Sources of secrets. Other values that the SDK hides (labels) may appear elsewhere.
SOURCES: Final[Mapping[str, tuple[str, ...]]] = {
    "random:index/randomBytes:RandomBytes": ("base64", "hex"),
    "random:index/randomPassword:RandomPassword": ("result", "bcryptHash"),
    "gcp:redis/instance:Instance": ("authString",),
    "mongodbatlas:index/x509AuthenticationDatabaseUser:X509AuthenticationDatabaseUser": (
        "currentCertificate",
    ),
    "gcp:secretmanager/secretVersion:SecretVersion": ("secretData",),
}
# Public certificates, which are stored in Secret Manager because they are mounted with the secrets.
PUBLIC: Final = frozenset(f"identity-kingdom-{use}redis-ca" for use in ("", "limits-", "queue-"))
MIN_LENGTH: Final = 16  # characters; shorter lines may occur elsewhere by coincidence
LOOKS: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\b[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s:@]+@"  # a password in an address
    r"|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bAIza[0-9A-Za-z_-]{35}\b|\bxox[abpr]-[\w-]{10,}"
    r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\."  # a signed token
)


def plain_secrets(resources: Sequence[ResourceState], outputs: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield secrets that are not encrypted in a state, in resources and in the stack's outputs."""
    generated = lines_of_secrets(resources)
    for resource in resources:
        declared = resource_type(resource.type) if resource.custom else None
        for name in declared.secret_outputs if declared is not None else ():
            for side, properties in (("inputs", resource.inputs), ("outputs", resource.outputs)):
                if not _sealed(properties.get(name)):
                    yield Finding("secrets", title(resource), f"{side}.{name} is secret and not sealed")
        # Ids are not encrypted in a state: a secret used as an id is exposed (pulumi#8946).
        yield from _visible(f"{title(resource)} id", [resource.id], generated)
        for side, properties in (("inputs", resource.inputs), ("outputs", resource.outputs)):
            yield from _visible(f"{title(resource)} {side}", strings(open_part(properties)), generated)
    yield from _visible("stack outputs", strings(open_part(outputs)), generated)


def lines_of_secrets(resources: Iterable[ResourceState]) -> dict[str, str]:
    """Return every line of every generated secret, with its resource.

    A single line of a key is sensitive too.
    """
    found: dict[str, str] = {}
    for resource in resources:
        if resource.urn.rpartition("::")[2] in PUBLIC:
            continue
        for name in SOURCES.get(resource.type, ()):
            for text in strings(unwrap(resource.outputs.get(name))):
                for line in text.splitlines():
                    if len(line) >= MIN_LENGTH and not line.startswith("-----"):
                        found.setdefault(line, f"{title(resource)} {name}")
    return found


def open_part(value: Any) -> Any:
    """Yield the parts of a value that are not encrypted."""
    match value:
        case Secret():
            return None
        case dict():
            return {key: open_part(item) for key, item in value.items()}
        case list() | tuple():
            return [open_part(item) for item in value]
        case _:
            return value


def _sealed(value: Any) -> bool:
    return value is None or isinstance(value, Secret)


def _visible(where: str, texts: Iterable[str], generated: Mapping[str, str]) -> Iterator[Finding]:
    for text in texts:
        for line, source in generated.items():
            if line in text:
                yield Finding("secrets", where, f"shows what {source} keeps")
        if LOOKS.search(text):
            yield Finding("secrets", where, "has a text that looks like a secret")
