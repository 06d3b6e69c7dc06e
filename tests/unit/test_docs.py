"""The documentation: links lead somewhere, every page can be reached, decisions are numbered."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from apache_module.generate import CHECKOUT

DOCS = CHECKOUT / "docs"
PAGES = sorted([*CHECKOUT.glob("*.md"), *DOCS.rglob("*.md")])
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def links(page: Path) -> list[tuple[Path, str]]:
    """Where a page's links within the project lead: file and anchor."""
    targets = [target for target in _LINK.findall(_FENCE.sub("", page.read_text())) if "://" not in target]
    split = [target.partition("#") for target in targets]
    return [((page.parent / path).resolve() if path else page, anchor) for path, _, anchor in split]


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = [
        "%s#%s" % (target, anchor)
        for target, anchor in links(page)
        if not target.exists() or (anchor and anchor not in anchors(target))
    ]
    assert broken == []


def test_the_guide_links_every_page() -> None:
    linked = {target for target, _ in links(DOCS / "guide.md")}
    assert sorted(page.name for page in DOCS.glob("*.md") if page not in linked | {DOCS / "guide.md"}) == []


def test_the_list_of_decisions_has_each_with_number_and_title() -> None:
    listed = (DOCS / "decisions" / "README.md").read_text()
    pages = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    titles = [page.read_text().splitlines()[0] for page in pages]
    rows = ["- [%s](%s) %s" % (title[2:5], page.name, title[6:]) for page, title in zip(pages, titles)]
    assert [row for row in rows if row not in listed.splitlines()] == []
    numbers = [page.name[:3] for page in pages]
    assert [title for number, title in zip(numbers, titles) if not title.startswith("# %s " % number)] == []
    assert len(set(numbers)) == len(numbers)
