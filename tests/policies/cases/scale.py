"""Quotas, autoscalers and disruption budgets."""

from __future__ import annotations

from typing import Any

from policies.testing import DROP, ResourceFixture, changed
from tests.policies.cases import Break, Case, breaking
from tests.policies.cases.pods import DEPLOYMENT

HERE = {"namespace": "shop"}
NAMESPACE = ResourceFixture("kubernetes:core/v1:Namespace", {"metadata": {"name": "shop"}}, "shop")
QUOTA_PROPS: dict[str, Any] = {
    "metadata": {"name": "room", **HERE},
    "spec": {
        "hard": {
            "pods": "14",
            "requests.cpu": "7",
            "requests.memory": "3584Mi",
            "limits.memory": "3584Mi",
            "services": "1",
            "count/deployments.apps": "1",
            "services.loadbalancers": "0",
        }
    },
}
QUOTA = ResourceFixture("kubernetes:core/v1:ResourceQuota", QUOTA_PROPS, "room")
ROLLING_QUOTA = ResourceFixture(
    "kubernetes:core/v1:ResourceQuota",
    {"metadata": {"name": "room", **HERE}, "spec": {"hard": {"pods": "3"}}},
    "room",
)
RANGE = ResourceFixture(
    "kubernetes:core/v1:LimitRange",
    {
        "metadata": {"name": "limits", **HERE},
        "spec": {"limits": [{"type": "Container", "default": {"memory": "128Mi"}}]},
    },
)
API = ResourceFixture(
    "kubernetes:apps/v1:Deployment",
    changed(
        DEPLOYMENT,
        {
            "metadata.name": "api",
            "spec.strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "40%"}},
            "spec.template.spec.initContainers": [],
            "spec.template.spec.nodeSelector": {"pool": "main"},
        },
    ),
    "api",
)
METRIC = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 65}},
}
HPA = ResourceFixture(
    "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
    {
        "metadata": {"name": "api", **HERE},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"},
            "minReplicas": 2,
            "maxReplicas": 10,
            "metrics": [METRIC],
        },
    },
    "api",
)
OTHER_HPA = ResourceFixture(HPA.type, changed(HPA.props, {"spec.scaleTargetRef.name": "other"}), "other")
VPA = ResourceFixture(
    "kubernetes:autoscaling.k8s.io/v1:VerticalPodAutoscaler",
    {
        "metadata": {"name": "api", **HERE},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"},
            "updatePolicy": {"updateMode": "Off"},
        },
    },
    "vpa",
)
PDB = ResourceFixture(
    "kubernetes:policy/v1:PodDisruptionBudget",
    {
        "metadata": {"name": "api", **HERE},
        "spec": {"selector": {"matchLabels": {"app": "x"}}, "maxUnavailable": "20%"},
    },
    "api",
)
OTHER_PDB = ResourceFixture(PDB.type, changed(PDB.props, {"spec.selector.matchLabels.app": "y"}), "other")
POOL = ResourceFixture(
    "gcp:container/nodePool:NodePool",
    {
        "name": "main",
        "location": "europe-west1",
        "autoscaling": {"totalMinNodeCount": 1, "totalMaxNodeCount": 3},
        "nodeConfig": {"machineType": "n2d-standard-4", "labels": {"pool": "main"}, "taints": []},
    },
    "main",
)
SIDECAR = {
    "name": "proxy",
    "restartPolicy": "Always",
    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}},
}
BIG_INIT = {
    "name": "warm",
    "resources": {"requests": {"cpu": "2", "memory": "64Mi"}, "limits": {"memory": "64Mi"}},
}
STORAGE_QUOTA = ResourceFixture(
    "kubernetes:core/v1:ResourceQuota",
    {
        "metadata": {"name": "disks", **HERE},
        "spec": {
            "hard": {
                "requests.storage": "40Gi",
                "persistentvolumeclaims": "4",
                "fast.storageclass.storage.k8s.io/requests.storage": "30Gi",
                "fast.storageclass.storage.k8s.io/persistentvolumeclaims": "3",
                "requests.ephemeral-storage": "3Gi",
                "count/jobs.batch": "8",
                "count/pods": "80",
                "services.nodeports": "2",
                "pods": "7",
            }
        },
    },
    "disks",
)
SCRATCH = {"name": "a", "resources": {"requests": {"ephemeral-storage": "1Gi"}}}
STATEFUL = ResourceFixture(
    "kubernetes:apps/v1:StatefulSet",
    {
        "metadata": {"name": "store", **HERE},
        "spec": {
            "replicas": 3,
            "template": {"spec": {"containers": [SCRATCH]}},
            "volumeClaimTemplates": [
                {"spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "10Gi"}}}}
            ],
        },
    },
    "store",
)
CLAIM = ResourceFixture(
    "kubernetes:core/v1:PersistentVolumeClaim",
    {
        "metadata": {"name": "c", **HERE},
        "spec": {"storageClassName": "slow", "resources": {"requests": {"storage": "10Gi"}}},
    },
    "claim",
)
# Every half hour for at most an hour and its grace period: three runs at once.
CRON = ResourceFixture(
    "kubernetes:batch/v1:CronJob",
    {
        "metadata": {"name": "tidy", **HERE},
        "spec": {
            "schedule": "15,45 * * * *",
            "jobTemplate": {"spec": {"activeDeadlineSeconds": 3600, "template": {"spec": {}}}},
        },
    },
    "tidy",
)
BATCH = ResourceFixture(
    "kubernetes:batch/v1:Job",
    {"metadata": {"name": "once", **HERE}, "spec": {"template": {"spec": {}}}},
    "once",
)
SERVICE = ResourceFixture(
    "kubernetes:core/v1:Service",
    {"metadata": {"name": "s", **HERE}, "spec": {"type": "NodePort", "ports": [{"port": 1}, {"port": 2}]}},
    "service",
)
BOUNDS = ResourceFixture(
    "kubernetes:core/v1:LimitRange",
    {
        "metadata": {"name": "limits", **HERE},
        "spec": {
            "limits": [
                {
                    "type": "Container",
                    "default": {"cpu": "1"},
                    "min": {"memory": "128Mi", "cpu": "100m"},
                    "max": {"cpu": "1"},
                },
                {"type": "Pod", "max": {"memory": "1Gi"}},
                {"type": "PersistentVolumeClaim", "max": {"storage": "100Gi"}},
            ]
        },
    },
    "bounds",
)


SMALL = {"resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}}}
HALF = {"resources": {"requests": {"cpu": "500m"}}}
PAIR = ResourceFixture(
    "kubernetes:apps/v1:StatefulSet",
    {
        "metadata": {"name": "pair", **HERE},
        "spec": {
            "replicas": 2,
            "template": {"spec": {"containers": [{"name": "a", **HALF}, {"name": "b", **HALF}]}},
        },
    },
    "pair",
)
GROWING = ResourceFixture(
    "kubernetes:autoscaling.k8s.io/v1:VerticalPodAutoscaler",
    {
        "metadata": {"name": "pair", **HERE},
        "spec": {
            "targetRef": {"kind": "StatefulSet", "name": "pair"},
            "updatePolicy": {"updateMode": "Recreate"},
            "resourcePolicy": {"containerPolicies": [{"containerName": "*", "maxAllowed": {"cpu": "2"}}]},
        },
    },
    "growing",
)
GROWN_QUOTA = ResourceFixture(
    "kubernetes:core/v1:ResourceQuota",
    {"metadata": {"name": "grown", **HERE}, "spec": {"hard": {"requests.cpu": "8"}}},
    "grown",
)
KATA = ResourceFixture(
    "kubernetes:node.k8s.io/v1:RuntimeClass",
    {"metadata": {"name": "kata"}, "handler": "kata", "overhead": {"podFixed": {"cpu": "500m"}}},
    "kata",
)
AGENT = ResourceFixture(
    "kubernetes:apps/v1:DaemonSet",
    {
        "metadata": {"name": "agent", **HERE},
        "spec": {"template": {"spec": {"containers": [{"name": "a", **HALF}]}}},
    },
    "agent",
)


CASES = (
    Case(
        "namespace-quota",
        (QUOTA, NAMESPACE),
        (
            Break({"metadata.namespace": "other"}, "no ResourceQuota"),
            Break({'spec.hard["requests.cpu"]': DROP}, "no quota on requests.cpu"),
        ),
    ),
    Case(
        "namespace-limit-range",
        (RANGE, NAMESPACE),
        (
            Break({"metadata.namespace": "other"}, "no LimitRange"),
            Break({"spec.limits": []}, "spec.limits: gives containers no defaults"),
        ),
    ),
    Case(
        "quota-covers-peak",
        (QUOTA, API, HPA),
        (
            Break({"spec.hard.pods": "13"}, "(10 + 4 surge)"),
            Break({'spec.hard["requests.cpu"]': "6999m"}, "7 that its workloads reach"),
            Break({'spec.hard["limits.memory"]': "3Gi"}, "limits.memory"),
            Break({"spec.maxReplicas": 11}, "less than the 16", index=2),
            Break({"spec.template.spec.initContainers": [SIDECAR]}, "8.4", index=1),
            Break({"spec.template.spec.initContainers": [SIDECAR, BIG_INIT]}, "29.4", index=1),
            Break({'spec.hard["count/deployments.apps"]': "0"}, "less than the 1"),
            Break({"spec.hard.configmaps": "0"}, "less than the 1"),
            Break({"spec.template.spec.resources": {"requests": {"cpu": "600m"}}}, "8.4", index=1),
            Break({"spec.template.spec.overhead": {"cpu": "100m"}}, "8.4", index=1),
            Break({"spec.template.spec.containers[1]": {"name": "second", **SMALL}}, "8.4", index=1),
        ),
        passes=({'spec.hard["requests.cpu"]': "7000m"},),
    ),
    # Both containers may grow to two cores, and their limits with them.
    Case(
        "quota-covers-peak",
        (GROWN_QUOTA, PAIR, GROWING, KATA),
        (
            Break({'spec.hard["requests.cpu"]': "7"}, "less than the 8"),
            Break({"spec.resourcePolicy.containerPolicies[0].maxAllowed.cpu": "3"}, "less than the 12", 2),
            Break(
                {
                    "spec.resourcePolicy.containerPolicies[1]": {
                        "containerName": "b",
                        "maxAllowed": {"cpu": "3"},
                    }
                },
                "less than the 10",
                2,
            ),
            Break({"spec.template.spec.runtimeClassName": "kata"}, "less than the 9", 1),
        ),
    ),
    Case(
        "quota-covers-peak",
        (STORAGE_QUOTA, STATEFUL, CLAIM, CRON, BATCH, SERVICE),
        (
            Break({'spec.hard["requests.storage"]': "39Gi"}, "less than the 40Gi"),
            Break({"spec.hard.persistentvolumeclaims": "3"}, "less than the 4"),
            Break({'spec.hard["fast.storageclass.storage.k8s.io/requests.storage"]': "1Gi"}, "30Gi"),
            Break({'spec.hard["fast.storageclass.storage.k8s.io/persistentvolumeclaims"]': "2"}, "the 3"),
            Break({"spec.volumeClaimTemplates[0].spec.resources.requests.storage": "20Gi"}, "70Gi", 1),
            Break({"spec.replicas": 4}, "less than the 50Gi", 1),
            Break({"spec.resources.requests.storage": "11Gi"}, "less than the 41Gi", 2),
            Break({'spec.hard["requests.ephemeral-storage"]': "2Gi"}, "less than the 3Gi"),
            Break({'spec.hard["count/jobs.batch"]': "7"}, "less than the 8"),
            Break({"spec.failedJobsHistoryLimit": 2}, "less than the 9", 3),
            Break({"spec.hard.pods": "5"}, "3 runs at once"),
            Break({"spec.schedule": "*/10 * * * *"}, "less than the 11", 3),
            Break({"spec.jobTemplate.spec.activeDeadlineSeconds": DROP}, "runs can accumulate", 3),
            Break({'spec.hard["count/pods"]': "10"}, "less than the"),
            Break({'spec.hard["services.nodeports"]': "1"}, "less than the 2"),
            Break({"spec.hard.cpu": "lots"}, "is not a valid quantity"),
        ),
        passes=(
            {'spec.hard["count/ingresses.networking.k8s.io"]': "0"},
            {'spec.hard["count/widgets.example.com"]': "0"},
        ),
    ),
    Case(
        "quota-covers-terminating-pods",
        (ROLLING_QUOTA, API),
        (Break({"spec.hard.pods": "2"}, "less than the 3 of a rollout of Deployment 'api': 1 pods"),),
    ),
    Case(
        "limit-range-admits",
        (BOUNDS, API, CLAIM),
        (
            Break({"spec.limits[0].max.cpu": "400m"}, "has a limit of 1 of cpu; the maximum is 0.4", 0),
            Break({"spec.limits[0].min.memory": "512Mi"}, "the minimum is 512Mi"),
            Break({"spec.limits[0].maxLimitRequestRatio": {"cpu": "1"}}, "times its request"),
            Break({"spec.limits[0].min.cpu": "2"}, "is more than the 1 of default"),
            Break({"spec.limits[1].max.memory": "100Mi"}, "Deployment 'api' has a limit of 256Mi of memory"),
            Break(
                {"spec.resources.requests.storage": "200Gi"},
                "requests 200Gi of storage; the maximum is 100Gi",
                2,
            ),
        ),
    ),
    Case(
        "pools-hold-peak",
        (POOL, API, HPA, AGENT),
        (
            Break(
                {"spec.template.spec.containers[0].resources.requests.cpu": "3300m"}, "larger than a node", 3
            ),
            Break({"autoscaling.totalMaxNodeCount": 1}, "can grow to 1 nodes"),
            Break({"nodeConfig.labels": {"pool": "other"}}, "may run on none"),
            Break({"nodeConfig.machineType": "e2-micro"}, "larger than a node"),
            Break(
                {"nodeConfig.taints": [{"key": "a", "value": "b", "effect": "NO_SCHEDULE"}]},
                "may run on none",
            ),
        ),
    ),
    Case(
        "hpa-target-without-replicas",
        (API, HPA),
        breaking(("spec.replicas", 3)),
    ),
    Case(
        "hpa-bounds",
        (HPA, API, OTHER_HPA),
        (
            *breaking(
                ("spec.minReplicas", 0),
                ("spec.maxReplicas", 101),
                ("spec.maxReplicas", 1),
            ),
            *breaking(
                ("spec.template.spec.containers[0].resources.requests.cpu", DROP, "measures cpu"), index=1
            ),
            Break({"spec.scaleTargetRef.name": "api"}, "Deployment 'api' is already the target", index=2),
        ),
    ),
    Case(
        "hpa-target-exists",
        (HPA, API, VPA, PDB),
        (
            Break({"spec.scaleTargetRef.name": "apu"}, "no Deployment 'apu'"),
            Break({"spec.targetRef.name": "apu"}, "no Deployment 'apu'", index=2),
            Break({"spec.selector.matchLabels": {"app": "typo"}}, "selects no pod", index=3),
        ),
    ),
    Case(
        "hpa-vpa-conflict",
        (VPA, HPA, API),
        (
            Break({"spec.updatePolicy.updateMode": "Auto"}, "changes requests of cpu"),
            Break(
                {
                    "spec.updatePolicy.updateMode": "Auto",
                    "spec.resourcePolicy": {
                        "containerPolicies": [{"containerName": "proxy", "controlledResources": ["memory"]}]
                    },
                },
                "changes requests of cpu",
            ),
        ),
        passes=(
            {
                "spec.updatePolicy.updateMode": "Auto",
                "spec.resourcePolicy": {
                    "containerPolicies": [{"containerName": "*", "controlledResources": ["memory"]}]
                },
            },
        ),
    ),
    Case(
        "pdb-allows-disruption",
        (PDB, API, HPA, OTHER_PDB),
        (
            Break({"spec.selector.matchLabels": {"app": "x"}}, "matches two PodDisruptionBudgets", index=3),
            Break(
                {"spec.maxUnavailable": DROP, "spec.minAvailable": "51%"},
                "allows no disruption of Deployment 'api' (2 pods",
            ),
            Break({"spec.maxUnavailable": 0}, "allows no disruption"),
            Break(
                {"spec.maxUnavailable": DROP, "spec.minAvailable": 2},
                "allows no disruption of Deployment 'api' (2 pods",
            ),
            Break({"spec.maxUnavailable": DROP, "spec.minAvailable": "100%"}, "allows no disruption"),
        ),
    ),
    Case(
        "pdb-required",
        (PDB, API, HPA),
        (
            Break({"spec.maxUnavailable": "100%"}, "at once"),
            Break({"spec.selector.matchLabels": {"app": "y"}}, "has no PodDisruptionBudget"),
            Break({"spec.minAvailable": 0}, "keeps no pod"),
        ),
    ),
    Case(
        "hpa-scales-down-slowly",
        (HPA,),
        breaking(("spec.behavior.scaleDown.stabilizationWindowSeconds", 0)),
    ),
)
