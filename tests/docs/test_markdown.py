"""Links, paths and commands in documents exist."""

import re
from pathlib import Path

import pytest

from tests.repository._tree import ROOT, name
from tools.docs.markdown import anchors, documents, links

DOCUMENTS = documents()
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_inside_the_repository_lead_somewhere(document: Path) -> None:
    for target in links(document):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (document.parent / path).resolve() if path else document
        assert place.exists(), target
        assert place.is_relative_to(ROOT), target
        if anchor:
            assert anchor in anchors(place), target


def test_every_document_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        document = ahead.pop()
        if document in reached or document.suffix != ".md":
            continue
        reached.add(document)
        inside = (target.partition("#")[0] for target in links(document) if not re.match(r"[a-z]+:", target))
        ahead += [(document.parent / path).resolve() for path in inside if path]
    assert {name(document) for document in DOCUMENTS} == {name(document) for document in reached}


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    index = set(links(ROOT / "docs" / "decisions" / "README.md"))
    assert {path.name for path in DECISIONS} <= index


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.name[:4])
def test_a_decision_has_context_decision_and_consequences(decision: Path) -> None:
    titles = re.findall(r"^#+ (.+)$", decision.read_text(), re.MULTILINE)
    assert titles[0].startswith(f"{decision.name[:4]}. ")
    assert titles[1:] == ["Context", "Decision", "Consequences"]
