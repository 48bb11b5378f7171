"""What a deletion will remove or has removed, and all that stays, with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli.render import objects, table
from anyscale_k8s_cli.cli.render.plan import place_facts
from anyscale_k8s_cli.cli.render.style import CHANGES, RESULTS, STATUSES, Mark, counted, duration

_DATA = " --delete-bucket "


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
    _kept(document.get("kept", []), "Stays", header, console, verbose=verbose)
    if removed:
        stays = len(document.get("kept", []))
        rest = f"; {stays} {'stays' if stays == 1 else 'stay'}" if stays else ""
        console.print()
        console.print(Text(f"{len(removed)} to remove{rest}.", style="bold"))
    elif not document.get("error"):
        _nothing(document, header, console)


def show_deleted(
    document: Mapping[str, Any], header: Mapping[str, Any], console: Console, *, verbose: bool
) -> None:
    """What is gone, what stays on purpose, and what is left behind."""
    removed, left = document.get("removed", []), document.get("left", [])
    failed = bool(document.get("error")) or bool(left)
    mark = RESULTS["failed" if failed else "done"]
    name = header.get("cloud", "")
    verdict = "is not all gone" if failed else "is gone"
    kept = document.get("kept", [])
    if not failed and any(_unseen(item, header) for item in kept):
        # Operator, Gateway and a load balancer that is paid for may be there for long.
        mark = STATUSES["warn"]
        verdict = "is gone outside its cluster; what is in the cluster may still run"
    if removed or left or document.get("error"):
        console.print()
        console.print(
            Text.assemble((f"{mark.symbol} ", mark.style), (f"Cloud {name} {verdict}", "bold"))
        )
    else:
        _nothing(document, header, console)
    took = f" in {duration(float(document['seconds']))}" if document.get("seconds") else ""
    if removed:
        proven = "" if failed else "; a fresh look finds none of them"
        console.print(f"  {counted(len(removed), 'object')} removed{took}{proven}")
    _staying(left, "Left behind", RESULTS["failed"], header, console, verbose=verbose)
    _kept(kept, "Kept", header, console, verbose=verbose)


def _kept(
    items: Sequence[Mapping[str, Any]],
    title: str,
    header: Mapping[str, Any],
    console: Console,
    *,
    verbose: bool,
) -> None:
    """What is in a cluster that was not looked at comes before all else: it may cost money."""
    unseen = [item for item in items if _unseen(item, header)]
    rest = [item for item in items if item not in unseen]
    _staying(
        unseen, "May still run in the cluster", STATUSES["warn"], header, console, verbose=verbose
    )
    _staying(rest, title, CHANGES["keep"], header, console, verbose=verbose)


def _unseen(item: Mapping[str, Any], header: Mapping[str, Any]) -> bool:
    return bool(header.get("skip_cluster")) and item["key"].startswith(("k8s:", "helm:"))


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
            group[0],
            objects.Row(
                mark,
                "",
                ", ".join(item["title"] for item in group),
                Text(group[0].get("reason") or "", "dim"),
                objects.details(group[0]) if verbose else (),
            ),
        )
        for group in _alike(items, apart=verbose)
    ]
    objects.show(console, pairs, header)
    data = [item for item in items if _DATA in (item.get("command") or "")]
    rest = [item for item in items if item not in data]
    _commands(rest, "command", "To remove it, once the cluster can be reached:", console)
    _commands(data, "command", "To delete your data too, for good:", console)
    _commands(items, "look", "To see who uses what is shared:", console)


def _alike(items: Sequence[Mapping[str, Any]], *, apart: bool) -> Iterator[list[Mapping[str, Any]]]:
    """What stays in one place for one reason, such as the same clouds that use it: told at once."""
    groups: dict[Any, list[Mapping[str, Any]]] = {}
    for item in items:
        shared = item.get("ownership") == "shared" and not apart
        why = (objects.place(item), item.get("reason")) if shared else item["key"]
        groups.setdefault(why, []).append(item)
    yield from groups.values()


def _commands(items: Sequence[Mapping[str, Any]], key: str, heading: str, console: Console) -> None:
    """Each command once, however many objects it is about."""
    lines = dict.fromkeys(item[key] for item in items if item.get(key))
    if lines:
        console.print(Text(f"  {heading}", "dim"))
    for line in lines:
        table.command(console, line, indent=4)


def _nothing(document: Mapping[str, Any], header: Mapping[str, Any], console: Console) -> None:
    console.print()
    kept = document.get("kept", [])
    said = "Nothing is left to remove." if kept else "Nothing of it was found."
    if any(item.get("ownership") == "ours" for item in kept):
        said = "Nothing is left to remove; what is kept of it is there still."
    if any(_unseen(item, header) for item in kept):
        said = "Nothing is left to remove outside the cluster."
    console.print(Text(said, style="bold"))
    for key, title in (("searched", "searched"), ("unsearched", "not searched")):
        lines = document.get(key) or []
        if lines:
            console.print(Text(f"  {title}:", style="dim"))
            for line in lines:
                console.print(Text(f"    {line}"), soft_wrap=True)
