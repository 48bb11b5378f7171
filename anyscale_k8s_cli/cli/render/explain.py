"""One object in full, or many with a line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli.render import table

_WELL = "as it should be"


def show_explanation(document: Mapping[str, Any], console: Console) -> None:
    told = document["objects"]
    if len(told) == 1:
        _show_one(told[0], console)
        return
    for item in told:
        console.print(Text(item["key"], style="bold"), soft_wrap=True)
        table.wrapped(console, Text(item["why"]), first=Text("  "), indent=2)


def _show_one(item: Mapping[str, Any], console: Console) -> None:
    table.heading(console, item["title"])
    table.facts(
        console,
        [
            ("key", item["key"]),
            ("why", item["why"]),
            ("without it", item["without"]),
            ("deletion", item["deletion"]["text"]),
            ("state", _state(item)),
            ("id", item.get("id") if item.get("id") != item["key"] else None),
            ("owner", item.get("owner")),
            ("used by", "\n".join(item.get("users") or ())),
            ("needs", "\n".join(item.get("needs") or ())),
            ("needed by", "\n".join(item.get("needed_by") or ())),
        ],
    )


def _state(item: Mapping[str, Any]) -> str | None:
    if "state" not in item:
        return None
    if item["state"] == "missing":
        return "missing"
    return f"{item['state']}; {item['drift'] or _WELL}"
