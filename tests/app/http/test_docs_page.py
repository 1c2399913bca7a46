"""Files of the documentation page."""

from __future__ import annotations

import re

from app.http import docs_page
from tests.support.backends import ROOT


def test_image_has_the_files_of_swagger_ui_and_no_second_framework() -> None:
    locked = re.findall(r"^([\w.-]+)==", (ROOT / "locks" / "service.txt").read_text(), re.MULTILINE)
    assert docs_page._PACKAGE in locked
    assert not {"fastapi", "pydantic", "jinja2"} & set(locked)
    media_types = {name: media_type for name, (media_type, _) in docs_page.files().items()}
    assert media_types["swagger-ui-bundle.js"].startswith("text/javascript")
