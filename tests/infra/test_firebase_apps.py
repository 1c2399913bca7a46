"""The settings that builds of the mobile client are configured with, as the stack exports them."""

from __future__ import annotations

from rehearsal.pulumi.properties import unwrap
from tests.infra.rehearsal import Declared


def test_the_settings_of_client_builds_are_exported(prod: Declared) -> None:
    apps = unwrap(prod.result.outputs)["apps"]
    outputs = {
        "project": ("Project", "storage", "projectNumber"),
        "android": ("AndroidApp", None, "appId"),
        "ios": ("AppleApp", None, "appId"),
        "web": ("WebApp", None, "appId"),
    }
    for key, (type_, name, output) in outputs.items():
        assert (
            apps[key]
            == unwrap(prod.state(f"firebase/{type_[0].lower()}{type_[1:]}:{type_}", name).outputs)[output]
        )
    assert apps["recaptchaKey"] == prod.one("AppCheckRecaptchaEnterpriseConfig")["siteKey"]


def test_the_exported_origin_may_call_the_api_and_the_bucket(prod: Declared) -> None:
    origin = unwrap(prod.result.outputs)["apps"]["origin"]
    assert prod.one("Bucket", "storage")["cors"][0]["origins"] == [origin]
    assert prod.one("ConfigMap", "configuration")["data"]["KINGDOM_CORS_ORIGINS"] == origin
