"""A plan as a table, under a head that says whose account and which cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli.render import table
from anyscale_k8s_cli.cli.render.style import CHANGES, UNKNOWN, counted

_WRITES = ("create", "update", "delete")
_WORD_WIDTH = 6
_PUBLIC = (
    "PUBLIC: the load balancer is open to the internet. "
    "--allow-cidr narrows that, --expose internal ends it."
)
_NARROWED = "PUBLIC: the load balancer has a public address and lets in only {}."


def show_plan(document: Mapping[str, Any], header: Mapping[str, Any], console: Console) -> None:
    """The whole plan: where, what, and how much of it changes."""
    show_header(header, console)
    table.heading(console, "Plan")
    rows = [
        (
            CHANGES.get(item["change"], UNKNOWN),
            item["change"],
            item["title"],
            # On a narrow screen the key takes a line, too much for what stays as it is.
            item["key"] if item["change"] != "none" or console.width >= table.WIDE else "",
            item.get("reason") or "",
        )
        for item in document["resources"]
    ]
    table.objects(console, rows, word_width=_WORD_WIDTH)
    _show_findings(document.get("checks") or [], console)
    console.print()
    console.print(Text(summary(document["summary"]), style="bold"))


def show_header(header: Mapping[str, Any], console: Console) -> None:
    """What is about to be touched; printed before the first write."""
    cloud, provider = header.get("cloud", ""), header.get("provider", "")
    title = f"Cloud {cloud}" + (f" on {str(provider).upper()}" if provider else "")
    table.heading(console, title)
    table.facts(
        console,
        [
            ("account", table.text_of(header.get("account"))),
            ("region", table.text_of(header.get("region"))),
            ("cluster", table.text_of(header.get("cluster"))),
            ("endpoint", table.text_of(header.get("endpoint"))),
            ("cluster UID", table.text_of(header.get("cluster_uid"))),
            ("namespace", table.text_of(header.get("namespace"))),
            ("exposure", _exposure(header)),
            ("settings", _from_environment(header.get("sources") or {})),
        ],
    )


def summary(counts: Mapping[str, int]) -> str:
    """`3 to create, 1 to update; 5 stay as they are.`"""
    writes = [f"{counts[name]} to {name}" for name in _WRITES if counts.get(name)]
    same = sum(counts.get(name, 0) for name in ("none", "keep", "adopt"))
    parts = [", ".join(writes) if writes else "Nothing to change"]
    if same:
        parts.append(
            f"{same} {'stays' if same == 1 else 'stay'} as {'it is' if same == 1 else 'they are'}"
        )
    if counts.get("refuse"):
        parts.append(f"{counted(counts['refuse'], 'object')} cannot be used")
    return "; ".join(parts) + "."


def changes(counts: Mapping[str, int]) -> int:
    """How many objects the plan would write."""
    return sum(counts.get(name, 0) for name in _WRITES)


def _show_findings(checks: Sequence[Mapping[str, Any]], console: Console) -> None:
    """The checks that did not pass; waived ones stay visible."""
    shown = [item for item in checks if item["status"] != "pass"]
    if shown:
        table.heading(console, "Checks")
        table.findings(console, shown)


def _exposure(header: Mapping[str, Any]) -> Text | None:
    exposure = str(header.get("exposure") or "")
    if exposure.lower() != "public":
        return Text(exposure) if exposure else None
    networks = header.get("allow_cidrs")
    text = _NARROWED.format(table.text_of(networks)) if networks else _PUBLIC
    return Text(text, style="bold red" if not networks else "bold")


def _from_environment(sources: Mapping[str, Any]) -> str:
    found = sorted(path for path, source in sources.items() if str(source) == "environment")
    return f"{', '.join(found)} taken from your environment" if found else ""
