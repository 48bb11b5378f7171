"""Whether a cloud is healthy, how that is known, and what mends it if not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli.render import table
from anyscale_k8s_cli.cli.render.style import HEALTH, UNKNOWN

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
    name = document.get("cloud")
    title = f"Cloud {name} is {health}" if name else health
    console.print()
    console.print(Text.assemble((f"{mark.symbol} ", mark.style), (title, "bold")))
    table.facts(
        console, [(label, table.text_of(document.get(key))) for key, label in _SHOWN.items()]
    )
    if document.get("checks"):
        table.heading(console, "Checks")
        table.findings(console, document["checks"])
    if document.get("cause"):
        table.heading(console, "Cause")
        console.print(Text(f"  {document['cause']}"), soft_wrap=True)
        for line in document.get("evidence") or []:
            console.print(Text(f"    {line}", style="dim"), soft_wrap=True)
    if document.get("command"):
        table.heading(console, "Next")
        table.command(console, str(document["command"]))
