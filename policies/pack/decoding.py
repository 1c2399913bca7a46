"""Decode a resource once instead of once per policy.

The SDK's server decodes a request again for every policy of a pack (``_PolicyAnalyzerServicer.Analyze``), and
the whole state again for every stack policy: 0.2 ms for a Deployment, times 60 policies, is nearly all of the
pack's time. The decoded form is read-only for validations, so all of them can share one copy; remediations,
which may write, receive copies of their own. The SDK has no setting for this, so the three functions are
replaced in its module; if a later SDK does not call them, only the speed-up is lost.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

import pulumi_policy.policy as sdk
from google.protobuf import json_format

# Number of cached property sets: well above the number of resources in a large stack.
_LIMIT: Final = 8192


class _Decoder:
    """Cache the SDK's three decoding steps (to a dict, to SDK values, to a proxy)."""

    def __init__(self) -> None:
        self._dicts: OrderedDict[bytes, dict[str, Any]] = OrderedDict()
        self._proxies: dict[int, Any] = {}
        self._deserialize = sdk.deserialize_properties
        self._proxy = sdk.unknown_checking_proxy

    def MessageToDict(self, message: Any) -> dict[str, Any]:  # noqa: N802 (the name in json_format)
        key = message.SerializeToString(deterministic=True)
        found = self._dicts.get(key)
        if found is None:
            found = self._dicts[key] = json_format.MessageToDict(message)
            self._proxies[id(found)] = None
            if len(self._dicts) > _LIMIT:
                _, oldest = self._dicts.popitem(last=False)
                del self._proxies[id(oldest)]
        return found

    def deserialize(self, props: dict[str, Any], proxy_secrets: bool = False) -> Any:
        if not proxy_secrets and id(props) in self._proxies:
            return props  # the caller continues with `proxy`
        return self._deserialize(props, proxy_secrets)

    def proxy(self, props: Any) -> Any:
        if id(props) not in self._proxies:
            return self._proxy(props)
        found = self._proxies[id(props)]
        if found is None:
            found = self._proxies[id(props)] = self._proxy(self._deserialize(props))
        return found


def decode_once() -> None:
    """Make the SDK's server of this process cache decoded resources."""
    decoder = _Decoder()
    module: Any = sdk
    module.json_format = decoder
    module.deserialize_properties = decoder.deserialize
    module.unknown_checking_proxy = decoder.proxy
