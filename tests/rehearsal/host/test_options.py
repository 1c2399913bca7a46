"""The section `rehearsal:machine` of a stack file."""

from __future__ import annotations

import pytest

from rehearsal.host.errors import OptionsError
from rehearsal.host.options import MachineOptions


def test_both_settings_are_optional() -> None:
    assert MachineOptions.from_config({}) == MachineOptions(edge_port=8443, web_app="")
    options = MachineOptions.from_config({"edgePort": 9443, "webApp": "mobile/dist/web"})
    assert options == MachineOptions(edge_port=9443, web_app="mobile/dist/web")


@pytest.mark.parametrize("folder", ["/etc", "../other", "mobile/../../other", 7])
def test_a_web_app_outside_of_the_project_is_refused(folder: object) -> None:
    with pytest.raises(OptionsError) as caught:
        MachineOptions.from_config({"webApp": folder, "other": 1})
    unknown, reason = caught.value.reasons
    assert "rehearsal:machine.other is not known" in unknown
    assert f"rehearsal:machine.webApp is {folder!r}" in reason
    assert "mobile/dist/web" in reason
