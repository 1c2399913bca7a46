"""A program with many policy violations; both engines must report the same findings."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

bucket = gcp.storage.Bucket("leaky", location="US", uniform_bucket_level_access=False)
gcp.storage.BucketIAMMember(
    "everybody", bucket=bucket.name, role="roles/storage.objectViewer", member="allUsers"
)
cache = gcp.redis.Instance("plain", memory_size_gb=1, tier="BASIC")
account = gcp.serviceaccount.Account("worker", account_id="kingdom-worker")
gcp.serviceaccount.Key("keyfile", service_account_id=account.name)

core.Pod(
    "root",
    metadata=meta.ObjectMetaArgs(namespace="shop"),
    spec=core.PodSpecArgs(
        host_network=True,
        containers=[
            core.ContainerArgs(
                name="root",
                image="docker.io/library/nginx:latest",
                security_context=core.SecurityContextArgs(privileged=True, run_as_user=0),
                # Known after the cache is created: the findings differ between preview and update.
                env=[core.EnvVarArgs(name="CACHE", value=pulumi.Output.concat("redis://", cache.host))],
            )
        ],
    ),
)
