"""Firebase apps of the bucket's clients, one per platform, with App Check attestation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import firebase, recaptcha

from infra.component import Component, Environment
from infra.settings.platform import AppSettings


@dataclass(frozen=True, slots=True)
class AppsArgs:
    """The environment, the Firebase project, the apps, and the resources that take long to create.

    `token_seconds` is the lifetime of an attestation; App Check waits for `slow`.
    """

    environment: Environment
    project: firebase.Project
    settings: AppSettings
    token_seconds: int
    slow: Sequence[pulumi.Resource]


class Apps(Component):
    """Android, Apple and web apps with App Check, which rejects clients that only copied a configuration.

    `settings` are the Firebase settings of the mobile client's builds (docs/mobile.md); they contain no
    secret.
    """

    def __init__(self, name: str, args: AppsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:firebase_apps:Apps", name, opts)
        environment, settings = args.environment, args.settings
        project = environment.project
        after = self.child(depends_on=[args.project])
        android = firebase.AndroidApp(
            f"{name}-android",
            project=project,
            display_name=f"Kingdom for Android ({environment.name})",
            package_name=settings.android,
            # Play Integrity attests builds with these signatures only.
            sha256_hashes=list(settings.android_certificates),
            opts=after,
        )
        apple = firebase.AppleApp(
            f"{name}-apple",
            project=project,
            display_name=f"Kingdom for iOS ({environment.name})",
            bundle_id=settings.apple,
            team_id=settings.apple_team,  # App Attest attests apps of this team only
            opts=after,
        )
        web = firebase.WebApp(
            f"{name}-web",
            project=project,
            display_name=f"Kingdom for the web ({environment.name})",
            opts=after,
        )
        key = recaptcha.EnterpriseKey(
            f"{name}-web",
            project=project,
            display_name=f"Kingdom for the web ({environment.name})",
            # A score without a challenge, valid on the web app's host only.
            web_settings={
                "integration_type": "SCORE",
                "allow_all_domains": False,
                "allowed_domains": [settings.web],
            },
            labels=environment.label("storage"),
            opts=self.child(),
        )
        self._app_check(args, android, apple, web, key)
        self.settings = pulumi.Output.from_input(
            {
                "project": args.project.project_number,
                "android": android.app_id,
                "ios": apple.app_id,
                "web": web.app_id,
                "recaptchaKey": key.name,
                "origin": f"https://{settings.web}",
            }
        )
        self.register_outputs({})

    def _app_check(
        self,
        args: AppsArgs,
        android: firebase.AndroidApp,
        apple: firebase.AppleApp,
        web: firebase.WebApp,
        key: recaptcha.EnterpriseKey,
    ) -> None:
        """Configure the attestation of each app, and enforce it for the bucket."""
        project, ttl = args.environment.project, f"{args.token_seconds}s"
        # App Check recognizes a new app after up to 30 seconds; the provider's examples sleep that long.
        later = self.child(depends_on=list(args.slow))
        firebase.AppCheckPlayIntegrityConfig(
            f"{self.name}-android", project=project, app_id=android.app_id, token_ttl=ttl, opts=later
        )
        firebase.AppCheckAppAttestConfig(
            f"{self.name}-apple", project=project, app_id=apple.app_id, token_ttl=ttl, opts=later
        )
        firebase.AppCheckRecaptchaEnterpriseConfig(
            f"{self.name}-web",
            project=project,
            app_id=web.app_id,
            site_key=key.name,
            token_ttl=ttl,
            opts=later,
        )
        firebase.AppCheckServiceConfig(
            f"{self.name}-storage",
            project=project,
            service_id="firebasestorage.googleapis.com",
            # Requests without a valid attestation are rejected, not only counted.
            enforcement_mode="ENFORCED",
            opts=self.child(depends_on=[args.project]),
        )
