"""The deployment controller's bounds, whatever the order in which pods come and go."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rehearsal.host.kubernetes.rollout import Replica, RolloutProgress, Strategy, step


def pods(revision: str, count: int, *, available: bool = True) -> list[Replica]:
    return [Replica(f"{revision}{n}", revision, available, available, float(n)) for n in range(count)]


def test_percentages_round_up_for_the_surge_and_down_for_what_may_be_missing() -> None:
    rolling = {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    assert Strategy.of(rolling, 5) == Strategy(surge=2, unavailable=1)
    assert Strategy.of({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}, 5).unavailable == 1


def test_a_new_replica_is_available_before_an_old_one_is_terminated() -> None:
    plan = step(2, "b", pods("a", 2), 0, Strategy(surge=1, unavailable=0))
    assert (plan.create, plan.end) == (1, [])


def test_replicas_that_were_never_ready_are_terminated_first() -> None:
    old = [*pods("a", 1), Replica("sick", "a", False, False, 9.0)]
    plan = step(2, "b", [*old, *pods("b", 1)], 0, Strategy(surge=1, unavailable=0))
    assert plan.end == ["sick"]


def test_recreate_waits_until_the_old_pods_have_terminated() -> None:
    recreate = Strategy.of({"type": "Recreate"}, 2)
    assert step(2, "b", pods("a", 2), 0, recreate).end == ["a0", "a1"]
    assert step(2, "b", [], 2, recreate).create == 0
    assert step(2, "b", [], 0, recreate).create == 2


@settings(max_examples=60, deadline=None)
@given(
    replicas=st.integers(1, 12),
    surge=st.integers(0, 4),
    unavailable=st.integers(0, 4),
    luck=st.randoms(use_true_random=False),
)
def test_a_rolling_update_stays_within_its_bounds_and_ends(
    replicas: int, surge: int, unavailable: int, luck: object
) -> None:
    strategy = Strategy.of(
        {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": min(unavailable, replicas)}}, replicas
    )
    alive = {pod.name: pod for pod in pods("a", replicas)}
    made = 0
    for _ in range(200):
        plan = step(replicas, "b", list(alive.values()), 0, strategy)
        if not plan.create and not plan.end and all(pod.available for pod in alive.values()):
            break
        for name in plan.end:
            del alive[name]
        for _ in range(plan.create):
            made += 1
            alive[f"b{made}"] = Replica(f"b{made}", "b", False, False, 100.0 + made)
        assert len(alive) <= replicas + strategy.surge
        assert sum(pod.available for pod in alive.values()) >= replicas - strategy.unavailable
        waiting = [pod for pod in alive.values() if not pod.available]
        if waiting:
            lucky = luck.choice(waiting)  # type: ignore
            alive[lucky.name] = Replica(lucky.name, "b", True, True, lucky.created)
    assert sorted(pod.revision for pod in alive.values()) == ["b"] * replicas


def test_new_terminated_and_available_pods_are_progress_of_a_rollout() -> None:
    progress = RolloutProgress(0.0)
    looks = [
        (1.0, (2, "b"), pods("a", 2), 1.0),  # a changed goal
        (2.0, (2, "b"), pods("a", 2), 1.0),
        (3.0, (2, "b"), [*pods("a", 2), *pods("b", 1, available=False)], 3.0),  # one more updated pod
        (4.0, (2, "b"), [*pods("a", 2), *pods("b", 1)], 4.0),  # the new pod is available
        (5.0, (2, "b"), [*pods("a", 2), *pods("b", 1, available=False)], 4.0),  # fewer available pods
        (6.0, (2, "b"), [*pods("a", 1), *pods("b", 1, available=False)], 6.0),  # one old pod fewer
        (7.0, (3, "b"), [*pods("a", 1), *pods("b", 1, available=False)], 7.0),
    ]
    for now, goal, there, since in looks:
        progress.look(*goal, there, now)
        assert progress.since == since, now


def test_only_a_strategy_without_any_change_gets_one_unavailable_pod() -> None:
    def strategy(surge: int, unavailable: int) -> Strategy:
        return Strategy.of({"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}, 5)

    assert strategy(1, 0) == Strategy(surge=1, unavailable=0)
    assert strategy(0, 2) == Strategy(surge=0, unavailable=2)
    assert strategy(0, 0) == Strategy(surge=0, unavailable=1)
    assert Strategy.of({}, 8) == Strategy(surge=2, unavailable=2), "25 % each by default"


def test_surplus_pods_end_in_the_order_of_unready_and_youngest() -> None:
    ready = pods("a", 3)
    unready = Replica("unready", "a", False, False, 0.5)
    assert step(3, "a", [*ready, unready], 0, Strategy(1, 0)).end == ["unready"]
    assert step(2, "a", ready, 0, Strategy(1, 0)).end == ["a2"]
    assert step(3, "a", ready, 0, Strategy(1, 0)) == step(3, "a", ready, 2, Strategy(1, 0))
    assert step(5, "a", ready, 0, Strategy(1, 0)).create == 2


def test_recreate_scales_the_new_pods_while_old_ones_end() -> None:
    recreate = Strategy.of({"type": "Recreate"}, 3)
    plan = step(3, "b", pods("b", 1), 2, recreate)
    assert (plan.create, plan.end) == (2, [])
