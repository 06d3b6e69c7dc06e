"""The documentation: links lead somewhere, every page can be reached, lines are short, tables are whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from apache_module.generate import CHECKOUT

DOCS = CHECKOUT / "docs"
PAGES = sorted([*CHECKOUT.glob("*.md"), *DOCS.rglob("*.md")])
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^( *)```.*?^ *```", re.DOTALL | re.MULTILINE)
_CUT_TABLE = re.compile(r"^\|.*\n(?: *\n)+(?=\|.*\n(?!\|(?: *:?-+:? *\|)+$))", re.MULTILINE)
_CODE = re.compile(r" *`[^`]+`[.,:]?")
_WIDTH = 100  # columns of a line that is neither code nor a row of a table


def prose(text: str) -> list[str]:
    """A page's lines without code (also a line that is one span of code), rows of tables and comments."""
    lines = _FENCE.sub("", re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)).splitlines()
    return [line for line in lines if not line.startswith(("|", "    ")) and not _CODE.fullmatch(line)]


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
    listed = re.sub(r"\n  +", " ", (DOCS / "decisions" / "README.md").read_text())
    pages = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    titles = [page.read_text().splitlines()[0] for page in pages]
    rows = ["- [%s](%s) %s" % (title[2:5], page.name, title[6:]) for page, title in zip(pages, titles)]
    assert [row for row in rows if row not in listed.splitlines()] == []
    numbers = [page.name[:3] for page in pages]
    assert [title for number, title in zip(numbers, titles) if not title.startswith("# %s " % number)] == []
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_lines_of_prose_are_at_most_100_columns_long(page: Path) -> None:
    assert [line for line in prose(page.read_text()) if len(line) > _WIDTH] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_no_blank_line_cuts_a_table(page: Path) -> None:
    assert _CUT_TABLE.findall(_FENCE.sub("", page.read_text())) == []


def test_a_cut_table_is_found_and_two_tables_are_not() -> None:
    head = "| a | b |\n|---|---|\n| 1 | 2 |\n"
    assert _CUT_TABLE.search(head + "\n| 3 | 4 |\n\ntext\n")
    assert not _CUT_TABLE.search(head + "\n" + head)
