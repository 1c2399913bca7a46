"""The Job of a load test has a deadline, and the generator accepts its environment variables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from loadtest.distributed_settings import in_cluster, read
from tests.infra.loadtest.conftest import documented
from tests.infra.rehearsal import Declared


def spec(declared: Declared) -> dict[str, Any]:
    found: dict[str, Any] = declared.one("Job", "loadtest-job")["spec"]
    return found


def container(declared: Declared) -> dict[str, Any]:
    (found,) = spec(declared)["template"]["spec"]["containers"]
    return dict(found)


def test_load_test_ends_with_its_window_and_starts_once(with_load_test: Declared) -> None:
    job = spec(with_load_test)
    assert job["activeDeadlineSeconds"] == 2 * 3600
    assert job["backoffLimit"] == 0
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    assert job["ttlSecondsAfterFinished"] == 86_400
    assert job["successPolicy"] == {"rules": [{"succeededIndexes": "0"}]}
    assert (job["completionMode"], job["completions"], job["parallelism"]) == ("Indexed", 25, 25)


def test_an_update_does_not_wait_for_its_end(with_load_test: Declared) -> None:
    annotations = with_load_test.one("Job", "loadtest-job")["metadata"]["annotations"]
    assert annotations["pulumi.com/skipAwait"] == "true"


def test_load_test_runs_on_its_own_pool_as_its_own_account(with_load_test: Declared) -> None:
    pod = spec(with_load_test)["template"]["spec"]
    assert pod["nodeSelector"] == {"kingdom.studio/pool": "loadtest"}
    assert [each["value"] for each in pod["tolerations"]] == ["loadtest"]
    assert pod["serviceAccountName"] == "loadtest"
    assert not pod["automountServiceAccountToken"]
    account = with_load_test.one("ServiceAccount", "loadtest")["metadata"]
    assert account["namespace"] == "kingdom-loadtest"
    assert container(with_load_test)["image"] == (
        f"europe-west1-docker.pkg.dev/kingdom-prod/kingdom/loadtest@sha256:{'1' * 64}"
    )


def test_the_generator_accepts_the_environment_of_every_pod(with_load_test: Declared) -> None:
    environ = {each["name"]: each["value"] for each in container(with_load_test)["env"] if "value" in each}
    window = documented()[1]["kingdom:loadtest"]["run"]["window"]
    for index in (0, 24):
        settings = read({**environ, "JOB_COMPLETION_INDEX": str(index)})
        assert settings.environment == "prod"
        assert (settings.scenario, settings.workers, settings.index) == ("peak", 24, index)
        assert in_cluster(settings.host)
        assert settings.window is not None
        assert settings.window.start == datetime(2026, 12, 5, 2, tzinfo=UTC)
        assert settings.window.end == datetime.fromisoformat(window["end"])


def test_the_coordinator_is_reached_by_the_name_of_the_first_pod(with_load_test: Declared) -> None:
    service = with_load_test.one("Service", "loadtest-job-coordinator")
    job = with_load_test.one("Job", "loadtest-job")
    template = job["spec"]["template"]
    environ = {each["name"]: each.get("value") for each in container(with_load_test)["env"]}
    subdomain = service["metadata"]["name"]
    assert template["spec"]["subdomain"] == subdomain
    assert environ["KINGDOM_LOADTEST_COORDINATOR"] == f"{job['metadata']['name']}-0.{subdomain}"
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["ports"][0]["port"] == container(with_load_test)["ports"][0]["containerPort"]
