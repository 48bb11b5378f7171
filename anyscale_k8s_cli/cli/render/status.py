"""Whether a cloud is healthy, how that is known, and what mends it if not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli.render import objects, table
from anyscale_k8s_cli.cli.render.style import FEATURES, HEALTH, STATUSES, UNKNOWN, moment


def show_status(
    document: Mapping[str, Any],
    console: Console,
    *,
    verbose: bool = False,
    now: datetime | None = None,
) -> None:
    """`verbose` adds what only those need who look the same up elsewhere."""
    health = str(document.get("health") or "UNKNOWN")
    mark = HEALTH.get(health, UNKNOWN)
    name = document.get("cloud")
    title = f"Cloud {name} is {health}"
    if health == "HEALTHY" and document.get("cause"):
        # It works on what it was given before; the next time it is asked for it will not.
        mark = STATUSES["warn"]
        title = f"Cloud {name} needs mending; its last report still said {health}"
    elif health == "HEALTHY" and any(
        item.get("code") == "own-checks" for item in document.get("checks", [])
    ):
        mark, title = STATUSES["warn"], f"{title} by its operator's word alone"
    console.print()
    console.print(Text.assemble((f"{mark.symbol} ", mark.style), (title, "bold")))
    table.facts(
        console,
        [
            ("id", document.get("cloud_id")),
            ("resource", document.get("cloud_resource_id") if verbose else ""),
            ("provider", document.get("provider")),
            ("cluster", document.get("cluster") if verbose else objects.where(document)),
            ("namespace", document.get("operator_namespace")),
            ("operator", document.get("operator_version")),
            ("last report", moment(document.get("reported_at"), now or datetime.now(UTC))),
        ],
    )
    if document.get("checks"):
        table.heading(console, "Checks")
        told = (document.get("cause"), document.get("command"))
        table.findings(console, document["checks"], told)
    if document.get("features"):
        table.heading(console, "Features")
        _show_features(document["features"], console)
    if document.get("cause"):
        table.heading(console, "Cause")
        table.wrapped(console, Text(document["cause"]), first=Text("  "), indent=2)
        for line in _evidence(document):
            table.wrapped(console, Text(line, style="dim"), first=Text("    "), indent=4)
    if document.get("command"):
        table.heading(console, "Next")
        table.command(console, str(document["command"]), told=document.get("evidence") or ())
    if verbose and document.get("setup") not in (None, document.get("command")):
        table.heading(console, "Set up with")
        table.command(console, str(document["setup"]))


def _show_features(lines: Iterable[Mapping[str, Any]], console: Console) -> None:
    """What each works by, or why it does not, and below that the one thing to do.

    What would be said twice in a row is said once.
    """
    lines = list(lines)
    width = max(len(line["title"]) for line in lines)
    said = None
    files: list[str] = []
    for line in lines:
        verdict, mark = line["verdict"], FEATURES.get(line["verdict"], UNKNOWN)
        reason = (verdict, line["detail"], line["fix"])
        again = verdict != "works" and reason == said
        first = Text.assemble(
            (f"  {mark.symbol} ", mark.style), (f"{line['title']:<{width}}  ", "bold")
        )
        detail = "the same" if again else line["detail"]
        content = Text.assemble(f"{verdict}: ", (detail, "dim" * (verdict == "works")))
        table.wrapped(console, content, first=first, indent=width + 6)
        if line["fix"] and not again:
            files += table.command(console, str(line["fix"]), indent=6, told=files)
        said = reason


def _evidence(document: Mapping[str, Any]) -> list[str]:
    """What was seen, but for what the checks above have said already."""
    said = [item["detail"] for item in document.get("checks", []) if item.get("detail")]
    lines = document.get("evidence") or []
    return [line for line in lines if not any(line.endswith(detail) for detail in said)]
