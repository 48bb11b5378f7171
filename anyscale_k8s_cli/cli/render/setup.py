"""What setup has made: where it is, whether it works, and what to type next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli.render import table
from anyscale_k8s_cli.cli.render.style import HEALTH, RESULTS, UNKNOWN, counted, duration

_WRITES = ("create", "update", "delete")
_DONE = {"create": "created", "update": "updated", "delete": "removed"}


def show_setup(document: Mapping[str, Any], header: Mapping[str, Any], console: Console) -> None:
    """The report of an apply, finished or failed."""
    failed = bool(document.get("error"))
    name = header.get("cloud", "")
    health = str(document.get("health") or "UNKNOWN")
    mark = RESULTS["failed"] if failed else HEALTH.get(health, UNKNOWN)
    verdict = "is not set up" if failed else f"is {health}"
    console.print()
    console.print(
        Text.assemble((f"{mark.symbol} ", mark.style), (f"Cloud {name} {verdict}", "bold"))
    )
    table.facts(
        console,
        [
            ("cloud", document.get("cloud_id")),
            ("resource", document.get("cloud_resource_id")),
            ("cluster", _cluster(header)),
            ("namespace", document.get("operator_namespace")),
            ("took", _took(document)),
        ],
    )
    _changed(document, console)
    _warnings(document, console)
    if not failed and name:
        table.heading(console, "Next")
        table.command(console, f"anyscale cloud status {name}")


def _changed(document: Mapping[str, Any], console: Console) -> None:
    rows = []
    for item in document.get("resources", []):
        result = item.get("result", "")
        if item["change"] not in _WRITES and result != "failed":
            continue
        word = _DONE.get(item["change"], result) if result == "done" else result
        where = item.get("id") or item["key"]
        rows.append((RESULTS.get(result, UNKNOWN), word, item["title"], where, ""))
    if rows:
        table.heading(console, "What was done")
        table.objects(console, rows, word_width=7)


def _warnings(document: Mapping[str, Any], console: Console) -> None:
    for text in document.get("warnings", []):
        console.print(Text.assemble(("! ", "magenta"), text))


def _cluster(header: Mapping[str, Any]) -> str:
    cluster, region = table.text_of(header.get("cluster")), header.get("region")
    return f"{cluster} ({region})" if cluster and region else cluster


def _took(document: Mapping[str, Any]) -> str:
    seconds = document.get("seconds")
    if seconds is None:
        return ""
    used = sum(document["summary"].get(name, 0) for name in ("none", "keep", "adopt"))
    same = f"; {counted(used, 'object')} used as found" if used else ""
    return duration(float(seconds)) + same
