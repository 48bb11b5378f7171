"""How a review is shown: to people, and in a ticket."""

from __future__ import annotations

import re

from rich.console import Console

from anyscale_k8s_cli.cli.render import markdown, page
from anyscale_k8s_cli.cli.render.review import show_review

from . import samples


def shown(width: int) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        show_review(samples.reviewed(), console)
    return captured.get().splitlines()


def test_each_part_is_on_the_page() -> None:
    document, lines = samples.reviewed(), shown(100)
    headings = [part.title for part in page.parts(document)]

    assert [line for line in lines if line in headings] == headings
    assert "Cloud prod on EKS, as it is" in lines
    assert "  exposure  internal" in lines
    assert "  admitted  10.0.0.0/8" in lines
    assert '    {"a": "```|<b>"}' in lines
    assert "  http  80    HTTP" in lines
    assert "    - apiGroups: ['']" in lines
    assert "  managed identity: denied" in lines


def test_what_setup_needs_is_named_with_the_command_that_prints_it() -> None:
    lines = shown(100)

    assert "  anyscale cloud permissions --provider eks" in lines
    assert "    {}" not in lines


def test_a_narrow_screen_has_no_tables() -> None:
    lines = shown(30)

    assert "  one:1" in lines
    assert "    sha256:1a" in lines
    assert not [line for line in lines if "IMAGE" in line]


def test_parts_without_anything_are_left_out() -> None:
    document = {**samples.reviewed(), "kubernetes": [], "unknown": []}
    titles = [part.title for part in page.parts(document)]

    assert "Rights in the cluster" not in titles
    assert "Not told here" not in titles


def test_markdown_holds_every_document_and_breaks_on_none() -> None:
    text = markdown.report(samples.reviewed())

    assert text.startswith("# Cloud prod on EKS, as it is\n")
    assert '````\n{"a": "```|<b>"}\n````' in text
    assert r"| IAM role | &lt;role&gt; \| a | made by this tool | s3:GetObject |" in text
    assert "### setup" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)
    assert len(re.findall(r"^## ", text, re.MULTILINE)) == len(list(page.parts(samples.reviewed())))


def test_a_failure_is_a_page_too() -> None:
    text = markdown.report({"schema": "anyscale-k8s/review/v1", "error": samples.ERROR})

    assert text.startswith(f"# {samples.ERROR['message']}")
    assert str(samples.ERROR["code"]) in text
