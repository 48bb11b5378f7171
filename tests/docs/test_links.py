"""Every page that is named is there, and every section in it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from .conftest import DOCS, ROOT, name, pages, sources

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"(?<![\w/.-])docs/[a-z0-9-]+(?:/[a-z0-9-]+)*(?:\.[a-z]+|/)?")


@cache
def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text(encoding="utf-8"))


@cache
def anchors(page: Path) -> set[str]:
    """The names that a heading can be linked by, as code hosts make them."""
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(prose(page)))
    return {word.strip().replace(" ", "-") for word in words}


def leads_somewhere(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    linked = (page.parent / path).resolve() if path else page
    return linked.exists() and (not anchor or anchor in anchors(linked))


def test_links_lead_somewhere() -> None:
    targets = {
        (page, target)
        for page in pages()
        for target in LINK.findall(prose(page))
        if "://" not in target
    }

    assert targets
    wrong = [(name(page), target) for page, target in targets if not leads_somewhere(page, target)]
    assert sorted(wrong) == []


def test_every_page_is_linked_from_another() -> None:
    linked = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in pages()
        for target in LINK.findall(prose(page))
    }

    assert [name(page) for page in pages() if page.parent != ROOT and page not in linked] == []


def test_pages_that_the_code_names_exist() -> None:
    named = {
        (file.name, found) for file, text in sources().items() for found in NAMED.findall(text)
    }

    assert named
    assert [item for item in named if not (ROOT / item[1]).exists()] == []


def test_files_of_the_tree_that_pages_name_exist() -> None:
    inside = re.compile(r"`((?:anyscale_k8s_cli|providers|templates|tests|benchmarks)/[^`<>*]*)`")
    named = {found for page in pages() for found in inside.findall(prose(page))}

    assert named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_variables_of_ours_are_told() -> None:
    """A sandbox's own are for what runs inside it, but for the one that a person sets."""
    variable = re.compile(r"[\"'](ANYSCALE_[A-Z0-9_]+)[\"']")
    # What runs in a pod is told there by others.
    elsewhere = {"sandbox", "pod_probe"}
    outside = (text for file, text in sources().items() if not elsewhere & set(file.parts))
    read = {found for text in outside for found in variable.findall(text)}
    told = (DOCS / "cli.md").read_text(encoding="utf-8")

    assert [name for name in sorted(read) if f"`{name}`" not in told] == []
