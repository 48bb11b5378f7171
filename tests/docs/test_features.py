"""The table of what there is on each platform: all of them, and a word in every cell."""

from __future__ import annotations

import re
from pathlib import Path

from anyscale_k8s_cli.provider_registry import available

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"


def test_every_platform_and_every_no_is_explained() -> None:
    part = PAGE.read_text(encoding="utf-8").partition("## What there is on each platform")[2]
    section = part.partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("|")
    ]
    titles, _, *features = rows
    assert sorted(titles[1:]) == available()
    reasons = set(re.findall(r"^(\d+)\. ", section, re.MULTILINE))
    used: set[str] = set()
    for name, *cells in features:
        assert len(cells) == len(titles) - 1, name
        assert all(cells), name
        notes = [re.findall(r"\((\d+)\)", cell) for cell in cells]
        assert all(note for cell, note in zip(cells, notes, strict=True) if cell[:2] == "no"), name
        used.update(number for note in notes for number in note)
    assert used == reasons
