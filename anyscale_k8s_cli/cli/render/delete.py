"""What a deletion will remove or has removed, and all that stays, with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli.render import table
from anyscale_k8s_cli.cli.render.style import CHANGES, RESULTS, Mark, counted, duration


def show_teardown(document: Mapping[str, Any], header: Mapping[str, Any], console: Console) -> None:
    """What was found, before anything is removed."""
    table.heading(console, f"Delete cloud {header.get('cloud', '')}".rstrip())
    table.facts(
        console,
        [
            ("cloud id", document.get("cloud_id")),
            ("account", table.text_of(header.get("account"))),
            ("region", table.text_of(header.get("region"))),
            ("cluster", table.text_of(header.get("cluster"))),
            ("endpoint", table.text_of(header.get("endpoint"))),
            ("cluster UID", table.text_of(header.get("cluster_uid"))),
            ("namespace", table.text_of(header.get("namespace"))),
        ],
    )
    _objects(console, "Will be removed", document.get("remove", []), CHANGES["delete"], "remove")
    _objects(console, "Stays", document.get("kept", []), CHANGES["keep"], "keep")
    if not document.get("remove"):
        _nothing(document, console)


def show_deleted(document: Mapping[str, Any], header: Mapping[str, Any], console: Console) -> None:
    """What is gone, what stays on purpose, and what is left behind."""
    removed, left = document.get("removed", []), document.get("left", [])
    failed = bool(document.get("error")) or bool(left)
    mark = RESULTS["failed" if failed else "done"]
    name = header.get("cloud", "")
    verdict = "is not all gone" if failed else "is gone"
    console.print()
    if removed or left or document.get("error"):
        console.print(
            Text.assemble((f"{mark.symbol} ", mark.style), (f"Cloud {name} {verdict}", "bold"))
        )
    else:
        _nothing(document, console)
    took = f" in {duration(float(document['seconds']))}" if document.get("seconds") else ""
    if removed:
        console.print(f"  {counted(len(removed), 'object')} removed{took}")
    _objects(console, "Left behind", left, RESULTS["failed"], "left")
    _objects(console, "Kept", document.get("kept", []), CHANGES["keep"], "kept")


def _objects(
    console: Console, title: str, items: Sequence[Mapping[str, Any]], mark: Mark, word: str
) -> None:
    if not items:
        return
    table.heading(console, title)
    rows = [
        (mark, word, item["title"], item.get("id") or item["key"], item.get("reason") or "")
        for item in items
    ]
    table.objects(console, rows, word_width=6)
    commands = [item["command"] for item in items if item.get("command")]
    if commands:
        console.print(Text("  To remove these yourself:", style="dim"))
        for line in commands:
            table.command(console, line, indent=4)


def _nothing(document: Mapping[str, Any], console: Console) -> None:
    console.print()
    console.print(Text("Nothing of it was found.", style="bold"))
    for title in ("searched", "unsearched"):
        lines = document.get(title) or []
        if lines:
            console.print(Text(f"  {title}:", style="dim"))
            for line in lines:
                console.print(Text(f"    {line}"), soft_wrap=True)
