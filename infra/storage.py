"""Media: a Cloud Storage bucket that Firebase's clients use."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import pulumi
from pulumi_gcp import firebase, storage

from infra.component import Component, Environment
from infra.platform_settings import StorageSettings


@dataclass(frozen=True, slots=True)
class StorageArgs:
    """The environment and its settings."""

    environment: Environment
    settings: StorageSettings


class Storage(Component):
    """The Firebase project and its bucket. `bucket` is the name, `endpoint` the origin its API answers at."""

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        environment, settings = args.environment, args.settings
        project = firebase.Project(name, project=environment.project, opts=self.child())
        bucket = storage.Bucket(
            name,
            name=settings.bucket,
            location=settings.location,
            storage_class="STANDARD",
            uniform_bucket_level_access=True,  # no object opens itself with an ACL of its own
            public_access_prevention="enforced",  # nobody can make it public by mistake
            force_destroy=False,
            versioning={"enabled": True},
            soft_delete_policy={"retention_duration_seconds": settings.soft_delete_days * 86_400},
            lifecycle_rules=[
                {
                    "action": {"type": "Delete"},
                    "condition": {
                        "days_since_noncurrent_time": settings.noncurrent_days,
                        "with_state": "ARCHIVED",
                    },
                },
                {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 7}},
            ],
            labels=environment.label("storage"),
            opts=self.child(protect=environment.protect),
        )
        firebase.StorageBucket(
            name,
            project=environment.project,
            bucket_id=bucket.name,
            opts=self.child(depends_on=[project]),
        )
        self.bucket = bucket.name
        self.endpoint = bucket.self_link.apply(endpoint)
        self.register_outputs({"bucket": self.bucket})


def endpoint(self_link: str) -> str:
    """Origin of the storage API that a bucket's self link belongs to.

    Google's links name www.googleapis.com, whose storage API clients reach at storage.googleapis.com.
    """
    parts = urlsplit(self_link)
    if parts.hostname is None or parts.hostname.endswith("googleapis.com"):
        return "https://storage.googleapis.com"
    return f"{parts.scheme}://{parts.netloc}"
