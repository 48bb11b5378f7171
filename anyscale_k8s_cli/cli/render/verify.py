"""The checks of a cloud, by their codes, and what mends those that failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.checks import judgement
from anyscale_k8s_cli.cli.render import objects, table
from anyscale_k8s_cli.cli.render.style import STATUSES, UNKNOWN

_MOST_LINES = 6


def show_verify(document: Mapping[str, Any], console: Console, *, verbose: bool = False) -> None:
    """`verbose` adds the evidence of what passed, and all of it for the rest."""
    checks, summary = document.get("checks", []), document.get("summary", {})
    failed = [item for item in checks if _fails(item)]
    name = document.get("cloud")
    unknown = int(summary.get("unknown", 0))
    mark = STATUSES["fail" if failed else "unknown" if unknown else "pass"]
    title = (
        f"{len(failed)} of {len(checks)} checks of {name} failed"
        if failed
        else f"No check of {name} failed{f', but {unknown} could not be judged' * bool(unknown)}"
    )
    console.print()
    console.print(Text.assemble((f"{mark.symbol} ", mark.style), (title, "bold")))
    table.facts(
        console,
        [
            ("cluster", document.get("cluster") if verbose else objects.where(document)),
            ("namespace", document.get("operator_namespace")),
            ("verdicts", ", ".join(f"{count} {word}" for word, count in summary.items() if count)),
        ],
    )
    table.heading(console, "Checks")
    show_checks(checks, console, verbose=verbose)


def show_doctor(document: Mapping[str, Any], console: Console, *, verbose: bool = False) -> None:
    """The same for this machine."""
    checks = document.get("checks", [])
    failed = [item for item in checks if _fails(item)]
    mark = STATUSES["fail" if failed else "pass"]
    title = (
        f"{len(failed)} of {len(checks)} checks of this machine failed"
        if failed
        else "No check of this machine failed"
    )
    console.print()
    console.print(Text.assemble((f"{mark.symbol} ", mark.style), (title, "bold")))
    console.print()
    show_checks(checks, console, verbose=verbose)


def show_checks(
    checks: Sequence[Mapping[str, Any]], console: Console, *, verbose: bool = False
) -> None:
    """A line for each, for what is wrong what was seen, and what mends it or lets it be asked."""
    width = max((len(item["code"]) for item in checks), default=0)
    said = ""
    files: list[str] = []
    for item in checks:
        reason = str(item.get("detail") or item["title"])
        same = item["status"] == "unknown" and reason == said
        told = {**item, "detail": "the same", "fix": ""} if same else item
        files += _show(told, width, console, files, verbose=verbose)
        said = reason if item["status"] == "unknown" else said


def _show(
    item: Mapping[str, Any], width: int, console: Console, told: Sequence[str], *, verbose: bool
) -> list[str]:
    """Given back is what is said of files that a person has to name, beyond what was `told`."""
    files: list[str] = []
    mark = STATUSES.get(str(item.get("status")), UNKNOWN)
    first = Text.assemble(
        (f"  {mark.symbol} ", mark.style), (f"{item['code']:<{width}}  ", "bold" * _bad(item))
    )
    seen = item.get("detail") or judgement(item["title"], item["status"])
    table.wrapped(console, Text(seen), first=first, indent=width + 6)
    if not (verbose or _bad(item) or item.get("status") == "unknown"):
        return files
    lines = (item.get("evidence") or []) if verbose or _bad(item) else []
    shown = lines if verbose else lines[:_MOST_LINES]
    more = [f"and {len(lines) - len(shown)} more (-v)"] if len(shown) < len(lines) else []
    for line in (*shown, *more):
        table.wrapped(console, Text(line, style="dim"), first=Text("      "), indent=6)
    if item.get("fix"):
        files = table.command(console, str(item["fix"]), indent=6, told=told)
    if _bad(item) and item.get("page"):
        console.print(Text(f"      {item['page']}", style="dim"), soft_wrap=True)
    return files


def _bad(item: Mapping[str, Any]) -> bool:
    return item.get("status") in ("fail", "warn")


def _fails(item: Mapping[str, Any]) -> bool:
    return item.get("status") == "fail" and item.get("severity") != "warning"
