"""Traces of an autoscaler: the inputs of each sync, in a form that can be replayed.

A trace is one JSON object. `kingdom status --record` writes traces, the forecast replays them, and
`tests/cluster/hpa` replays them in the real controller. Times are in seconds from the first step, values in
thousandths. Step k is taken at k * `config.period`.

    {"id": …, "config": {"period": 15, "tolerance": 0.1, …}, "spec": {…autoscaling/v2…}, "steps": [
      {"specReplicas": 5 or absent (as decided before), "statusReplicas": 5, "ambiguous": false,
       "pods": [{"name": …, "phase": "Running", "deleted": false, "started": 0, "ready": "True",
                 "readySince": 2.5, "spec": {"containers": […]}}],
       "readings": {KEY: {"pods": {NAME: {"value": 250, "taken": 14, "window": 15}}} or {"value": 7}
                        or {"values": [7, 8]} or {"error": "no metrics returned"}}}]}

KEY is the metric's name, for resources `cpu/` or `cpu/CONTAINER`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.host.kubernetes.hpa.algorithm import ScaleUpdateError, reconcile
from rehearsal.host.kubernetes.hpa.model import (
    AutoscalerSpec,
    AutoscalerState,
    ControllerConfig,
    ExternalReadings,
    ObjectReading,
    Observation,
    PodReading,
    PodReadings,
    PodState,
    Reading,
    Scale,
    ScalingDecision,
    UnavailableMetric,
)

# The names that replayed objects have; they are part of some messages.
NAMESPACE, NAME, SELECTOR = "default", "subject", "app=subject"


@dataclass(frozen=True)
class Replayed:
    """One step's result: the decision, the declared replicas after it, and the state after it."""

    decision: ScalingDecision
    spec_replicas: int
    state: AutoscalerState


def reading_key(metric: Mapping[str, Any]) -> str:
    """Return the key of a declared metric in the readings of a step."""
    match metric["type"]:
        case "Resource":
            return f"{metric['resource']['name']}/"
        case "ContainerResource":
            source = metric["containerResource"]
            return f"{source['name']}/{source['container']}"
        case kind:
            return str(metric[kind[0].lower() + kind[1:]]["metric"]["name"])


def config_of(trace: Mapping[str, Any]) -> ControllerConfig:
    """Return the controller's flags of a trace; absent ones have their defaults."""
    given, default = trace.get("config") or {}, ControllerConfig()
    return ControllerConfig(
        tolerance=given.get("tolerance", default.tolerance),
        downscale_stabilization=given.get("downscaleStabilization", default.downscale_stabilization),
        cpu_initialization_period=given.get("cpuInitializationPeriod", default.cpu_initialization_period),
        initial_readiness_delay=given.get("initialReadinessDelay", default.initial_readiness_delay),
    )


def replay(trace: Mapping[str, Any]) -> Iterator[Replayed]:
    """Replay the decision of every step of a trace.

    The state is the same object throughout, so read it at each step.
    """
    spec, config, state = AutoscalerSpec.parse(trace["spec"]), config_of(trace), AutoscalerState()
    period = float(trace["config"]["period"])
    replicas = 0
    for number, step in enumerate(trace["steps"]):
        replicas = replicas if step.get("specReplicas") is None else int(step["specReplicas"])
        observed = observation(step, spec, replicas, rivals=bool(step.get("ambiguous")) and number > 0)

        def rescale(desired: int, error: str = step.get("updateError") or "") -> None:
            nonlocal replicas
            if error:
                raise ScaleUpdateError(error)
            replicas = desired

        decision = reconcile(spec, state, observed, number * period, config, rescale)
        yield Replayed(decision, replicas, state)


def observation(step: Mapping[str, Any], spec: AutoscalerSpec, replicas: int, *, rivals: bool) -> Observation:
    """Return the observation at a step with `replicas` declared; `rivals` adds a second autoscaler."""
    if step.get("scaleError"):
        return Observation(str(step["scaleError"]))
    selecting = [(NAME, NAMESPACE), ("rival", NAMESPACE)] if rivals and step.get("pods") else []
    return Observation(
        Scale(replicas, int(step["statusReplicas"]), SELECTOR),
        [_pod(item) for item in step.get("pods") or []],
        [_reading(step, reading_key(metric)) for metric in spec.metrics],
        selecting,
        NAMESPACE,
    )


def _pod(item: Mapping[str, Any]) -> PodState:
    return PodState(
        item["name"],
        item["phase"],
        bool(item.get("deleted")),
        item.get("started"),
        item.get("ready") or None,
        float(item.get("readySince") or 0.0),
        item.get("spec") or {},
    )


def _reading(step: Mapping[str, Any], key: str) -> Reading:
    found = (step.get("readings") or {}).get(key)
    if found is None:
        return UnavailableMetric(f"no reading {key}")
    if found.get("error"):
        return UnavailableMetric(str(found["error"]))
    if found.get("value") is not None:
        return ObjectReading(int(found["value"]))
    if found.get("values") is not None:
        return ExternalReadings([int(value) for value in found["values"]])
    pods = {
        name: PodReading(int(item["value"]), float(item["taken"]), float(item["window"]))
        for name, item in (found.get("pods") or {}).items()
    }
    return PodReadings(pods)


# -- recording --------------------------------------------------------------------------------------------


def recorded_step(spec: AutoscalerSpec, observed: Observation, now: float) -> dict[str, Any]:
    """Convert the observation of a sync to a step with times relative to `now`.

    `started_trace` positions it in a trace.
    """
    if isinstance(observed.scale, str):
        return {"statusReplicas": 0, "scaleError": observed.scale}
    return {
        "specReplicas": observed.scale.spec_replicas,
        "statusReplicas": observed.scale.status_replicas,
        "ambiguous": len(observed.selecting) > 1,
        "pods": [_recorded_pod(pod, now) for pod in observed.pods],
        "readings": {
            reading_key(metric): _recorded_reading(reading, now)
            for metric, reading in zip(spec.metrics, observed.readings, strict=True)
        },
    }


def _recorded_pod(pod: PodState, now: float) -> dict[str, Any]:
    return {
        "name": pod.name,
        "phase": pod.phase,
        "deleted": pod.deleted,
        "started": None if pod.started is None else pod.started - now,
        "ready": pod.ready or "",
        "readySince": pod.ready_since - now,
        "spec": {
            kind: [
                {
                    "name": item["name"],
                    "resources": {"requests": (item.get("resources") or {}).get("requests") or {}},
                    **({"restartPolicy": item["restartPolicy"]} if item.get("restartPolicy") else {}),
                }
                for item in pod.spec.get(kind) or []
            ]
            for kind in ("containers", "initContainers")
        },
    }


def _recorded_reading(reading: Reading, now: float) -> dict[str, Any]:
    match reading:
        case PodReadings():
            return {
                "pods": {
                    name: {"value": item.value, "taken": item.taken - now, "window": item.window}
                    for name, item in reading.by_pod.items()
                }
            }
        case ObjectReading():
            return {"value": reading.value}
        case ExternalReadings():
            return {"values": list(reading.values)}
        case UnavailableMetric():
            return {"error": reading.error}


def started_trace(
    id_: str, spec: Mapping[str, Any], period: float, steps: list[tuple[float, dict[str, Any]]]
) -> dict[str, Any]:
    """Create a trace of steps recorded with `recorded_step`.

    Step k is placed at k * `period`; the ages of pods and readings are unchanged.
    """
    default = ControllerConfig()
    placed = [_placed(step, number * period) for number, (_, step) in enumerate(steps)]
    return {
        "id": id_,
        "recorded": steps[0][0] if steps else None,
        "config": {
            "period": period,
            "tolerance": default.tolerance,
            "downscaleStabilization": default.downscale_stabilization,
            "cpuInitializationPeriod": default.cpu_initialization_period,
            "initialReadinessDelay": default.initial_readiness_delay,
        },
        "spec": {name: value for name, value in spec.items() if name != "scaleTargetRef"},
        "steps": placed,
    }


def _placed(step: Mapping[str, Any], at: float) -> dict[str, Any]:
    found = dict(step)
    found["pods"] = [
        {
            **pod,
            "started": None if pod["started"] is None else round(pod["started"] + at, 3),
            "readySince": round(pod["readySince"] + at, 3),
        }
        for pod in step.get("pods") or []
    ]
    found["readings"] = {
        key: reading
        if "pods" not in reading
        else {
            "pods": {
                name: {**item, "taken": round(item["taken"] + at, 3)}
                for name, item in reading["pods"].items()
            }
        }
        for key, reading in (step.get("readings") or {}).items()
    }
    return found
