"""Charts and images that a registry of one's own must hold, a line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli.render import table


def show_supplies(document: Mapping[str, Any], console: Console) -> None:
    """Lines are whole, for `grep` and `cut`; what is under a condition says so behind it."""
    table.heading(console, "Charts")
    for chart in document["charts"]:
        _line(console, f"{chart['name']} {chart['version']}", chart["when"])
        table.command(console, chart["command"], indent=4)
    table.heading(console, "Images")
    for image in document["images"]:
        _line(console, image["image"], image["when"])
        if image["target"]:
            console.print(Text(f"    {image['target']}"), soft_wrap=True)
    table.warnings(console, [f"not known: {text}" for text in document["unknown"]])
    if document["next"]:
        table.heading(console, "Next")
        table.command(console, document["next"])


def _line(console: Console, text: str, when: str | None) -> None:
    condition = f"  if {when}" if when else ""
    console.print(Text.assemble(f"  {text}", (condition, "dim")), soft_wrap=True)
