"""Whether a cloud is healthy, how that is known, and what mends it if not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli.render import table
from anyscale_k8s_cli.cli.render.style import HEALTH, STATUSES, UNKNOWN

_SHOWN = {
    "cloud_id": "cloud",
    "cloud_resource_id": "resource",
    "provider": "provider",
    "region": "region",
    "cluster": "cluster",
    "operator_namespace": "namespace",
    "operator_version": "operator",
    "reported_at": "last report",
}


def show_status(document: Mapping[str, Any], console: Console) -> None:
    health = str(document.get("health") or "UNKNOWN")
    mark = HEALTH.get(health, UNKNOWN)
    name = document.get("cloud") or document.get("name") or ""
    if isinstance(name, Mapping):
        name = name.get("name", "")
    title = f"Cloud {name} is {health}" if name else health
    console.print()
    console.print(Text.assemble((f"{mark.symbol} ", mark.style), (title, "bold")))
    table.facts(
        console, [(label, table.text_of(document.get(key))) for key, label in _SHOWN.items()]
    )
    _checks(document.get("checks") or [], console)
    if document.get("cause"):
        table.heading(console, "Cause")
        console.print(Text(f"  {document['cause']}"))
    if document.get("command"):
        table.heading(console, "Next")
        table.command(console, str(document["command"]))


def _checks(checks: list[Mapping[str, Any]], console: Console) -> None:
    if not checks:
        return
    table.heading(console, "Checks")
    rows = [
        (
            STATUSES.get(str(item.get("status")), UNKNOWN),
            str(item.get("status", "")),
            item.get("title") or item.get("code") or item.get("name", ""),
            item.get("detail") or "",
            item.get("fix") or "",
        )
        for item in checks
    ]
    table.objects(console, rows, word_width=7)
