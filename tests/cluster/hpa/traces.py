"""Random traces of an autoscaler, in the form of `rehearsal.host.kubernetes.hpa.trace`."""

from __future__ import annotations

import random
from typing import Any

_KINDS = ("Resource", "ContainerResource", "Pods", "Object", "External")
_PERIODS = (15, 15, 15, 10, 30)
# Shares of the target; many close to the edges of the usual tolerances.
_LOADS = (0.0, 0.2, 0.5, 0.89, 0.9, 0.95, 1.0, 1.05, 1.1, 1.11, 1.5, 3.0, 8.0)


def trace(seed: int | str, min_steps: int = 4, max_steps: int = 16) -> dict[str, Any]:
    """One autoscaler and `min_steps` to `max_steps` syncs of it; the same seed gives the same trace."""
    chance = random.Random(seed)
    metrics = [_metric(chance, index) for index in range(chance.choice((1, 1, 1, 2, 2, 3)))]
    shared = any(metric["type"] in {"Object", "External"} for metric in metrics)
    low = 0 if shared and chance.random() < 0.5 else chance.randint(1, 5)
    period = chance.choice(_PERIODS)
    spec: dict[str, Any] = {
        "minReplicas": low,
        "maxReplicas": low + chance.choice((1, 4, 10, 30, 100)),
        "metrics": metrics,
    }
    if chance.random() < 0.55:
        spec["behavior"] = _behavior(chance)
    count = chance.randint(min_steps, max_steps)
    world = _World(chance, metrics, period, spec)
    return {
        "id": str(seed),
        "config": {
            "period": period,
            "tolerance": chance.choice((0.1, 0.1, 0.1, 0.0, 0.05, 0.3)),
            "downscaleStabilization": chance.choice((300, 300, 60, 30, 0)),
            "cpuInitializationPeriod": chance.choice((300, 300, 45, 0)),
            "initialReadinessDelay": chance.choice((30, 30, 10, 0)),
        },
        "spec": spec,
        "steps": [world.step(number) for number in range(count)],
    }


def _metric(chance: random.Random, index: int) -> dict[str, Any]:
    kind = chance.choice(_KINDS)
    if kind in {"Resource", "ContainerResource"}:
        source: dict[str, Any] = {"name": chance.choice(("cpu", "cpu", "memory"))}
        if kind == "ContainerResource":
            source["container"] = chance.choice(("main", "main", "sidecar"))
        source["target"] = (
            {"type": "Utilization", "averageUtilization": chance.choice((20, 50, 65, 75, 80, 100, 150))}
            if chance.random() < 0.6
            else {
                "type": "AverageValue",
                "averageValue": chance.choice(("200m", "333m", "1", "64Mi", "1500m")),
            }
        )
        return {"type": kind, kind[0].lower() + kind[1:]: source}
    identity: dict[str, Any] = {"name": f"metric{index}"}
    if chance.random() < 0.3:
        identity["selector"] = {"matchLabels": {"role": "api", "area": "a"}}
    average = {
        "type": "AverageValue",
        "averageValue": chance.choice(("10", "80", "333m", "110", "0.1", "2.5")),
    }
    value = {"type": "Value", "value": chance.choice(("10", "100", "1500m", "7", "0.3"))}
    source = {"metric": identity, "target": average if kind == "Pods" else chance.choice((average, value))}
    if kind == "Object":
        source["describedObject"] = {"apiVersion": "v1", "kind": "Service", "name": "subject"}
    return {"type": kind, kind.lower(): source}


def _behavior(chance: random.Random) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for direction in ("scaleUp", "scaleDown"):
        if chance.random() < 0.2:
            continue
        rules: dict[str, Any] = {}
        if chance.random() < 0.6:
            rules["stabilizationWindowSeconds"] = chance.choice((0, 0, 15, 30, 60, 300))
        if chance.random() < 0.7:
            rules["policies"] = [
                {
                    "type": chance.choice(("Pods", "Percent")),
                    "value": chance.choice((1, 2, 4, 5, 10, 33, 50, 100, 200)),
                    "periodSeconds": chance.choice((15, 30, 45, 60, 90)),
                }
                for _ in range(chance.randint(1, 3))
            ]
        if chance.random() < 0.5:
            rules["selectPolicy"] = chance.choice(("Max", "Min", "Min", "Disabled"))
        if chance.random() < 0.4:
            rules["tolerance"] = chance.choice(("0", "0.01", "0.05", "50m", "0.15", "0.57", "0.29", "1"))
        found[direction] = rules
    return found


class _World:
    """The pods and metrics of one trace; loads come in phases, so that directions change."""

    def __init__(
        self, chance: random.Random, metrics: list[dict[str, Any]], period: int, spec: dict[str, Any]
    ) -> None:
        self._chance, self._metrics, self._period, self._spec = chance, metrics, period, spec
        self._load = chance.choice((0.0, 0.3, 0.9, 1.0, 1.1, 2.0, 5.0))
        self._loads = (0.0, 0.0, 0.0, 0.4, 3.0) if spec["minReplicas"] == 0 else _LOADS
        self._pods: list[dict[str, Any]] = []
        self._made = 0
        self._tidy = chance.random() < 0.4
        self._request = chance.choice((100, 250, 500, 1000))
        self._rivals = chance.random() < 0.03

    def step(self, number: int) -> dict[str, Any]:
        chance, now = self._chance, number * self._period
        if chance.random() < 0.3:
            self._load = chance.choice(self._loads)
        self._move(number, now)
        found: dict[str, Any] = {
            "statusReplicas": len(self._pods) if chance.random() < 0.8 else chance.randint(0, 12),
            "pods": [dict(pod) for pod in self._pods],
            "readings": {key: value for metric in self._metrics for key, value in self._reading(metric, now)},
        }
        if number == 0:
            found["specReplicas"] = chance.choice(
                (len(self._pods), len(self._pods), 0, chance.randint(0, 40))
            )
        elif chance.random() < 0.04:
            found["specReplicas"] = chance.choice((0, 1, 2, chance.randint(0, 150)))
        if chance.random() < 0.01:
            found["scaleError"] = "no scale"
        if chance.random() < 0.02:
            found["updateError"] = "no update"
        if self._rivals:
            found["ambiguous"] = True
        return found

    def _move(self, number: int, now: int) -> None:
        """Create pods, make some ready, and end some."""
        chance = self._chance
        wanted = len(self._pods)
        if number == 0 or chance.random() < 0.3:
            wanted = chance.randint(chance.choice((0, 1, 1, 1)), 12)
        self._pods = self._pods[:wanted]
        while len(self._pods) < wanted:
            self._pods.append(self._pod(now, old=number == 0 and chance.random() < 0.7))
        for pod in self._pods:
            if not self._tidy and chance.random() < 0.15:
                pod.update(self._trouble(now))
            elif pod["ready"] != "True" and chance.random() < 0.6:
                pod.update(phase="Running", ready="True", readySince=now - chance.choice((0, 1, 5, 14)))

    def _trouble(self, now: int) -> dict[str, Any]:
        chance = self._chance
        return chance.choice(
            (
                {"phase": "Pending"},
                {"phase": "Failed"},
                {"phase": "Succeeded"},
                {"deleted": True},
                {"ready": "False", "readySince": now - chance.choice((0, 3, 30))},
                {"ready": "Unknown", "readySince": now},
                {"ready": ""},
                {"started": None},
            )
        )

    def _pod(self, now: int, *, old: bool) -> dict[str, Any]:
        chance = self._chance
        self._made += 1
        started = now - (chance.choice((60, 290, 300, 301, 4000)) if old else chance.choice((0, 1, 10)))
        pod: dict[str, Any] = {
            "name": f"pod-{self._made}",
            "phase": "Running",
            "deleted": False,
            "started": started,
            "ready": "True" if old or chance.random() < 0.5 else "False",
            "readySince": started + chance.choice((0, 5, 29, 30, 31)),
            "spec": self._pod_spec(),
        }
        return pod

    def _pod_spec(self) -> dict[str, Any]:
        chance = self._chance
        requests: dict[str, str] = {"cpu": f"{self._request}m", "memory": "128Mi"}
        if not self._tidy and chance.random() < 0.02:
            del requests[chance.choice(("cpu", "memory"))]
        main = {"name": "main", "resources": {"requests": requests}}
        spec: dict[str, Any] = {"containers": [main]}
        kind = chance.random()
        if kind < 0.2:
            spec["containers"].append({"name": "sidecar", "resources": {"requests": dict(requests)}})
        elif kind < 0.3:
            first = {"name": "init", "resources": {"requests": {"cpu": "2", "memory": "1Gi"}}}
            sidecar = {
                "name": "sidecar",
                "restartPolicy": "Always",
                "resources": {"requests": dict(requests)},
            }
            spec["initContainers"] = [first, sidecar]
        elif kind < 0.35:
            spec["resources"] = {"requests": chance.choice(({"cpu": "300m"}, {"memory": "64Mi"}))}
        return spec

    def _reading(self, metric: dict[str, Any], now: int) -> list[tuple[str, dict[str, Any]]]:
        chance, kind = self._chance, metric["type"]
        source = metric[kind[0].lower() + kind[1:]]
        key = (
            source["metric"]["name"]
            if "metric" in source
            else f"{source['name']}/{source.get('container', '')}"
        )
        if not self._tidy and chance.random() < 0.06:
            return [(key, {"error": "no metrics returned"})]
        target = self._target(source)
        if kind == "Object":
            return [(key, {"value": self._value(target * max(1, len(self._pods)))})]
        if kind == "External":
            whole = self._value(target * max(1, len(self._pods)))
            count = chance.choice((1, 1, 2, 3))
            return [(key, {"values": [whole // count] * count})]
        # Metrics of finished pods and of other pods must have no effect.
        names = [pod["name"] for pod in self._pods] + (["stranger"] if chance.random() < 0.1 else [])
        pods = {
            name: {
                "value": self._value(target),
                "taken": now - chance.choice((0, 1, 5, 14, 15, 29, 30)),
                "window": chance.choice((10, 15, 15, 30, 60)),
            }
            for name in names
            if self._tidy or chance.random() > 0.08
        }
        return [(key, {"pods": pods})]

    def _target(self, source: dict[str, Any]) -> float:
        """Return the target in thousandths for a pod with the most frequent request."""
        target = source["target"]
        if target.get("averageUtilization"):
            request = self._request if source["name"] == "cpu" else 128 * 1024 * 1024 * 1000
            return request * target["averageUtilization"] / 100
        text = str(target.get("averageValue") or target.get("value"))
        if text.endswith("Mi"):
            return float(text[:-2]) * 1024 * 1024 * 1000
        return float(text[:-1]) if text.endswith("m") else float(text) * 1000

    def _value(self, target: float) -> int:
        noise = 1.0 if self._chance.random() < 0.4 else self._chance.uniform(0.7, 1.4)
        return int(target * self._load * noise) + (self._chance.choice((0, 0, 1)) if self._load else 0)
