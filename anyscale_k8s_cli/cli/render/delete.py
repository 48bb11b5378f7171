"""What a deletion will remove or has removed, and all that stays, with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli.render import objects, table
from anyscale_k8s_cli.cli.render.plan import place_facts
from anyscale_k8s_cli.cli.render.style import CHANGES, RESULTS, Mark, counted, duration


def show_teardown(
    document: Mapping[str, Any], header: Mapping[str, Any], console: Console, *, verbose: bool
) -> None:
    """What was found, before anything is removed."""
    table.heading(console, f"Delete cloud {header.get('cloud', '')}".rstrip())
    table.facts(console, [("id", document.get("cloud_id")), *place_facts(header)])
    removed = document.get("remove", [])
    if removed:
        table.heading(console, "Will be removed")
        mark = CHANGES["delete"]
        pairs = [(item, _removal(item, header, mark, verbose=verbose)) for item in removed]
        objects.show(console, pairs, header)
    _staying(document.get("kept", []), "Stays", CHANGES["keep"], header, console, verbose=verbose)
    if removed:
        stays = len(document.get("kept", []))
        rest = f"; {stays} {'stays' if stays == 1 else 'stay'}" if stays else ""
        console.print()
        console.print(Text(f"{len(removed)} to remove{rest}.", style="bold"))
    elif not document.get("error"):
        _nothing(document, console)


def show_deleted(
    document: Mapping[str, Any], header: Mapping[str, Any], console: Console, *, verbose: bool
) -> None:
    """What is gone, what stays on purpose, and what is left behind."""
    removed, left = document.get("removed", []), document.get("left", [])
    failed = bool(document.get("error")) or bool(left)
    mark = RESULTS["failed" if failed else "done"]
    name = header.get("cloud", "")
    verdict = "is not all gone" if failed else "is gone"
    if removed or left or document.get("error"):
        console.print()
        console.print(
            Text.assemble((f"{mark.symbol} ", mark.style), (f"Cloud {name} {verdict}", "bold"))
        )
    else:
        _nothing(document, console)
    took = f" in {duration(float(document['seconds']))}" if document.get("seconds") else ""
    if removed:
        proven = "" if failed else "; a fresh look finds none of them"
        console.print(f"  {counted(len(removed), 'object')} removed{took}{proven}")
    _staying(left, "Left behind", RESULTS["failed"], header, console, verbose=verbose)
    kept = document.get("kept", [])
    _staying(kept, "Kept", CHANGES["keep"], header, console, verbose=verbose)


def _removal(
    item: Mapping[str, Any], header: Mapping[str, Any], mark: Mark, *, verbose: bool
) -> objects.Row:
    """That what goes was made by this tool goes without saying; all else is said."""
    note = None
    named = header.get("delete_bucket")
    if named and item["key"].rpartition("/")[2] == named:
        note = Text(item["reason"], "bold red")
    elif verbose:
        note = Text(item["reason"], "dim")
    elif item.get("ownership") == "shared":
        note = Text("shared, no longer used", "magenta")
    details = objects.details(item) if verbose else ()
    return objects.Row(mark, "remove", item["title"], note, details)


def _staying(
    items: Sequence[Mapping[str, Any]],
    title: str,
    mark: Mark,
    header: Mapping[str, Any],
    console: Console,
    *,
    verbose: bool,
) -> None:
    """Objects that are still there, why, and how each of them is removed."""
    if not items:
        return
    table.heading(console, title)
    pairs = [
        (
            item,
            objects.Row(
                mark,
                "",
                item["title"],
                Text(item.get("reason") or "", "dim"),
                objects.details(item) if verbose else (),
            ),
        )
        for item in items
    ]
    objects.show(console, pairs, header)
    own = [item for item in items if item.get("ownership") != "shared"]
    used = [item for item in items if item.get("ownership") == "shared"]
    it = "it" if len(own) == 1 else "them"
    _commands(own, "command", f"To remove {it} too:", console)
    _commands(used, "command", "What is shared goes with the last cloud that uses it:", console)
    _commands(items, "look", "To see who uses what is shared:", console)


def _commands(items: Sequence[Mapping[str, Any]], key: str, heading: str, console: Console) -> None:
    """Each command once, however many objects it is about."""
    lines = dict.fromkeys(item[key] for item in items if item.get(key))
    if lines:
        console.print(Text(f"  {heading}", "dim"))
    for line in lines:
        table.command(console, line, indent=4)


def _nothing(document: Mapping[str, Any], console: Console) -> None:
    console.print()
    kept = bool(document.get("kept"))
    said = "Nothing is left to remove." if kept else "Nothing of it was found."
    console.print(Text(said, style="bold"))
    for key, title in (("searched", "searched"), ("unsearched", "not searched")):
        lines = document.get(key) or []
        if lines:
            console.print(Text(f"  {title}:", style="dim"))
            for line in lines:
                console.print(Text(f"    {line}"), soft_wrap=True)
