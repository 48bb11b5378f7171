"""The page of the architecture against the house as it stands."""

from __future__ import annotations

import re
import tomllib

from .conftest import DOCS, ROOT

PAGE = (DOCS / "architecture.md").read_text(encoding="utf-8")


def test_layers_are_those_of_the_import_rules() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = (item["layers"] for item in contracts if item["type"] == "layers")
    section = PAGE.partition("## Who may import whom")[2].partition("\n## ")[0]

    told = [re.findall(r"`(\w+)`", line) for line in re.findall(r"^\d+\. (.+)$", section, re.M)]

    assert told == [layer.split(" | ") for layer in layers]


def test_every_part_of_the_package_has_its_place_in_the_house() -> None:
    table = PAGE.partition("## The house")[2].partition("\n## ")[0]
    package = ROOT / "anyscale_k8s_cli"
    parts = {
        *(file.name for file in package.glob("*.py") if file.name != "__init__.py"),
        *(f"{folder.name}/" for folder in package.iterdir() if (folder / "__init__.py").exists()),
    }

    assert [part for part in sorted(parts) if not re.search(rf"[`/]{part}`", table)] == []
