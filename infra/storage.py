"""The media bucket in Cloud Storage, used by the service and through Firebase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pulumi
from pulumi_gcp import firebase, firebaserules, storage

from infra.component import Component, Environment
from infra.firebase_apps import Apps, AppsArgs
from infra.kms import Keys, Use
from infra.settings.platform import StorageSettings

RULES = Path(__file__).parent / "storage.rules"


@dataclass(frozen=True, slots=True)
class StorageArgs:
    """The environment, the keys, the settings, and resources whose creation takes minutes.

    App Check recognizes a new app after up to 30 seconds, so its configuration waits for `slow`.
    """

    environment: Environment
    keys: Keys
    settings: StorageSettings
    slow: Sequence[pulumi.Resource]


class Storage(Component):
    """The Firebase project and its bucket. `bucket` is the name, `endpoint` the origin of its API, `apps`
    the settings of the mobile client's builds.
    """

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kingdom:storage:Storage", name, opts)
        environment, settings = args.environment, args.settings
        project = firebase.Project(name, project=environment.project, opts=self.child())
        bucket = storage.Bucket(
            name,
            name=settings.bucket,
            location=settings.location,
            storage_class="STANDARD",
            uniform_bucket_level_access=True,  # access by IAM only, without ACLs of objects
            public_access_prevention="enforced",  # cannot be made public by mistake
            force_destroy=False,  # a bucket with objects is not deleted
            encryption={"default_kms_key_name": args.keys.ids[Use.MEDIA]},
            versioning={"enabled": True},  # overwritten objects can be restored
            soft_delete_policy={"retention_duration_seconds": settings.soft_delete_days * 86_400},
            lifecycle_rules=lifecycle(settings.noncurrent_days),
            # Only the web app's origin may read and upload from a browser.
            cors=[
                {
                    "origins": [f"https://{settings.apps.web}"],
                    "methods": ["GET", "HEAD", "PUT", "POST"],
                    "response_headers": ["Content-Type", "ETag"],
                    "max_age_seconds": 3600,
                }
            ],
            labels=environment.label("storage"),
            opts=self.child(protect=environment.protect, depends_on=args.keys.ready[Use.MEDIA]),
        )
        linked = firebase.StorageBucket(
            name,
            project=environment.project,
            bucket_id=bucket.name,
            opts=self.child(depends_on=[project]),
        )
        rules = firebaserules.Ruleset(
            name,
            project=environment.project,
            source={
                "language": "FIREBASE_STORAGE",
                "files": [{"name": "storage.rules", "content": RULES.read_text(encoding="utf-8")}],
            },
            opts=self.child(depends_on=[project]),
        )
        firebaserules.Release(
            name,
            project=environment.project,
            name=f"firebase.storage/{settings.bucket}",
            ruleset_name=pulumi.Output.format("projects/{0}/rulesets/{1}", environment.project, rules.name),
            opts=self.child(depends_on=[linked]),
        )
        apps = Apps(
            f"{name}-apps",
            AppsArgs(environment, project, settings.apps, settings.app_check_seconds, args.slow),
            self.child(),
        )
        self.apps = apps.settings
        self.bucket = bucket.name
        self.endpoint = bucket.self_link.apply(endpoint)
        self.register_outputs({"bucket": self.bucket})


def lifecycle(noncurrent_days: int) -> list[storage.BucketLifecycleRuleArgsDict]:
    """Return the rules that delete old versions after some days, and unfinished uploads after a week."""
    return [
        {
            "action": {"type": "Delete"},
            "condition": {
                "days_since_noncurrent_time": noncurrent_days,
                "with_state": "ARCHIVED",
            },
        },
        {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 7}},
    ]


def endpoint(self_link: str) -> str:
    """Return the origin of the storage API of a bucket's self link.

    Google's links have the host www.googleapis.com, but clients reach the storage API at
    storage.googleapis.com.
    """
    parts = urlsplit(self_link)
    if parts.hostname is None or parts.hostname.endswith("googleapis.com"):
        return "https://storage.googleapis.com"
    return f"{parts.scheme}://{parts.netloc}"
