"""Google Cloud: names, ids, immutable properties, and refused deletions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Final

from rehearsal.providers import diff, fake_values
from rehearsal.providers.autonaming import Preference, autoname
from rehearsal.providers.base import Cloud, Function
from rehearsal.providers.gcp.functions import FUNCTIONS
from rehearsal.providers.gcp.outputs import CURATED, email_of, number_of
from rehearsal.providers.gcp.types import ID_TEMPLATES
from rehearsal.providers.schema import resource_type
from rehearsal.pulumi.properties import UNKNOWN

# Properties whose change replaces a resource, for types without measured facts.
_IDENTITY: Final = ("name", "project", "location", "region", "zone")
_ACCOUNT: Final = "gcp:serviceaccount/account:Account"
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


class Google(Cloud):
    package: ClassVar[str] = "gcp"
    functions: ClassVar[Mapping[str, Function]] = FUNCTIONS

    def fixed(self, token: str) -> frozenset[diff.Pattern]:
        return _fixed(token)

    def named(
        self,
        urn: str,
        token: str,
        inputs: dict[str, Any],
        olds: Mapping[str, Any],
        preferred: Preference | None,
    ) -> dict[str, Any]:
        if token == _ACCOUNT:
            return autoname(self, urn, token, inputs, olds, "accountId", max_length=30, preferred=preferred)
        return autoname(self, urn, token, inputs, olds, preferred=preferred)

    def identify(self, urn: str, token: str, inputs: Mapping[str, Any]) -> str:
        seed = self.seed(urn, token, inputs)
        place = self.place_of(inputs)
        values = {
            "project": place.project,
            "region": place.region,
            "location": inputs.get("location") or "global",
            "zone": place.zone,
            "number": number_of(place.project),
            "digits": fake_values.digits(19, seed),
            "hex": fake_values.hexadecimal(16, seed),
            "uuid": fake_values.uuid(seed),
            # Not 1, 2, 3: programs must not rely on the numbers of secret versions.
            "version": str(fake_values.number(1, 9_999, seed)),
            "appId": _app_id(token, number_of(place.project), seed),
        } | {name: str(value) for name, value in inputs.items() if isinstance(value, (str, int))}
        if (template := ID_TEMPLATES.get(token)) is not None:
            return _PLACEHOLDER.sub(
                lambda found: values.get(found[1]) or fake_values.hexadecimal(8, seed, found[1]), template
            )
        if _is_grant(token):
            parents = [
                values[name]
                for name in _fixed_names(token)
                if name not in ("role", "member") and name in values
            ]
            return "/".join([*parents, *(values[name] for name in ("role", "member") if name in values)])
        where = inputs.get("location") or inputs.get("region") or inputs.get("zone") or "global"
        collection = token.rsplit("/", 1)[-1].split(":")[0] + "s"
        name = inputs.get("name") or fake_values.digits(19, seed)
        return f"projects/{place.project}/locations/{where}/{collection}/{name}"

    def settled(self, token: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        place = self.place_of(inputs)
        outputs: dict[str, Any] = {}
        if inputs.get("project") is None and place.project:
            outputs["project"] = place.project
        labels = inputs.get("labels", inputs.get("resourceLabels"))
        if labels is UNKNOWN:
            outputs |= {"effectiveLabels": UNKNOWN, "pulumiLabels": UNKNOWN}
        elif labels is None or isinstance(labels, Mapping):
            # pulumi-gcp labels what it creates, unless that is disabled.
            marked = {**(labels or {}), "goog-pulumi-provisioned": "true"}
            outputs |= {"effectiveLabels": marked, "pulumiLabels": marked}
        if token == _ACCOUNT and inputs.get("accountId") is not UNKNOWN:
            email = email_of(inputs, place.project)
            outputs |= {
                "email": email,
                "member": f"serviceAccount:{email}",
                "name": f"projects/{place.project}/serviceAccounts/{email}",
            }
        return outputs

    def curated(self, token: str, id_: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        make = CURATED.get(token)
        made = make(id_, inputs, self.place_of(inputs)) if make is not None else {}
        if token.startswith("gcp:compute/"):
            made.setdefault("selfLink", f"https://www.googleapis.com/compute/v1/{id_}")
        return made

    def refuse_delete(self, token: str, inputs: Mapping[str, Any]) -> str | None:
        if inputs.get("deletionProtection") is True:
            return (
                "deletionProtection is set: the cloud does not delete this resource."
                " Set it to false, run an update, and then delete"
            )
        return None


@cache
def _fixed(token: str) -> frozenset[diff.Pattern]:
    return diff.patterns(*_fixed_names(token))


@cache
def _fixed_names(token: str) -> tuple[str, ...]:
    declared = resource_type(token)
    names = tuple(declared.inputs.fields) if declared else ()
    if _is_grant(token):
        return tuple(name for name in names if name != "members")
    return tuple(name for name in _IDENTITY if name in names)


def _is_grant(token: str) -> bool:
    """Return whether the type grants a role: all its properties are its identity."""
    return token.lower().endswith(("iammember", "iambinding"))


def _app_id(token: str, number: str, seed: str) -> str:
    platform = {"AndroidApp": "android", "AppleApp": "ios"}.get(token.rsplit(":", 1)[-1], "web")
    return f"1:{number}:{platform}:{fake_values.hexadecimal(22, seed)}"
