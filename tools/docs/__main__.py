"""`make docs`: writes the documents that follow from the code."""

from pathlib import Path

from tests.repository._tree import ROOT
from tools.docs.api_page import api_page
from tools.docs.commands_page import commands_page
from tools.docs.openapi_document import openapi_document
from tools.docs.policies_page import policies_page
from tools.docs.settings_page import settings_page
from tools.docs.settings_schema import PLACE, settings_schema


def pages() -> dict[Path, str]:
    """Path and content of each generated document."""
    return {
        ROOT / "docs" / "api.md": api_page(),
        ROOT / "docs" / "commands.md": commands_page(),
        ROOT / "docs" / "policies.md": policies_page(),
        ROOT / "docs" / "settings.md": settings_page(),
        PLACE: settings_schema(),
        ROOT / "mobile" / "openapi.json": openapi_document(),
    }


if __name__ == "__main__":
    for path, page in pages().items():
        path.write_text(page)
        print(f"wrote {path.relative_to(ROOT)}")
