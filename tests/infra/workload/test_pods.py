"""The pods of all roles have the same security contexts."""

from __future__ import annotations

from infra.settings.roles import ROLES
from tests.infra.rehearsal import Declared


def test_all_pods_run_as_one_user_without_root_and_rights(prod: Declared) -> None:
    pods = [item["spec"]["template"]["spec"] for item in prod.of("Deployment").values()]
    pods += [item["spec"]["jobTemplate"]["spec"]["template"]["spec"] for item in prod.of("CronJob").values()]
    assert len(pods) == len(ROLES) + 1  # and the monitor
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["securityContext"]["runAsUser"] > 10_000
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["readOnlyRootFilesystem"]
            assert not context["allowPrivilegeEscalation"]
            assert context["runAsUser"] == pod["securityContext"]["runAsUser"]
