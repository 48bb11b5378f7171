"""What an upgrade makes of each object of a release, as rendered manifests differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli.render import table
from anyscale_k8s_cli.cli.render.style import CHANGES, UNKNOWN, counted

# Lines of an object that are shown without -v.
_FEW = 6
# What a chart writes on each of its objects, and what changes with every version of it.
_VERSION_LABEL = re.compile(r"[-+]\s+(helm\.sh/chart|app\.kubernetes\.io/version):")
_STYLES = {"+": "green", "-": "red", "@": "dim"}


def show_upgrade(items: Iterable[Mapping[str, Any]], console: Console, *, verbose: bool) -> None:
    """Release by release; `verbose` gives each difference whole, with what is around it."""
    releases = [item for item in items if item.get("parts")]
    if not releases:
        return
    table.heading(console, "Objects of releases")
    for item in releases:
        parts = item["parts"]
        telling = [part for part in parts if verbose or _tells(part)]
        console.print(Text(f"  {item['title']}", "bold"))
        for part in telling:
            _show(part, console, verbose=verbose)
        if len(parts) > len(telling):
            rest = counted(len(parts) - len(telling), "object")
            note = f"{rest}: labels with the version alone"
            console.print(Text(f"    {CHANGES['update'].symbol} {note}", "dim"))


def _show(part: Mapping[str, Any], console: Console, *, verbose: bool) -> None:
    mark = CHANGES.get(part["change"], UNKNOWN)
    where = f" in {part['namespace']}" if part.get("namespace") else ""
    changed = _changed(part)
    added = sum(line.startswith("+") for line in changed)
    head = Text.assemble(
        (f"    {mark.symbol} ", mark.style),
        f"{part['kind']} {part['name']}{where}",
        (f"  +{added} -{len(changed) - added}", "dim"),
    )
    console.print(head, soft_wrap=True)
    if verbose:
        _print(part["diff"].splitlines(), console)
    elif part["change"] == "update":
        _print(list(_in_short(changed, console.width)), console)


def _in_short(changed: Sequence[str], width: int) -> Iterator[str]:
    telling = [line for line in changed if not _VERSION_LABEL.match(line)]
    room = width - len("      ")
    for line in telling[:_FEW]:
        yield _fitting(f"{line[0]} {line[1:].strip()}", room)
    if len(telling) > _FEW:
        yield f"… {counted(len(telling) - _FEW, 'more line')} with -v"


def _fitting(text: str, room: int) -> str:
    """Cut in the middle: what is called differs at the beginning, versions at the end."""
    if len(text) <= room:
        return text
    begin = room // 2
    return f"{text[:begin]}…{text[begin + 1 - room :]}"


def _print(lines: Iterable[str], console: Console) -> None:
    for line in lines:
        console.print(Text(f"      {line}", _STYLES.get(line[:1], "dim")), soft_wrap=True)


def _changed(part: Mapping[str, Any]) -> list[str]:
    return [line for line in part["diff"].splitlines() if line.startswith(("+", "-"))]


def _tells(part: Mapping[str, Any]) -> bool:
    return any(not _VERSION_LABEL.match(line) for line in _changed(part))
