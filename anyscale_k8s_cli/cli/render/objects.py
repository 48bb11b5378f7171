"""Objects as people read them: grouped by where they are, one line each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli.render import table
from anyscale_k8s_cli.cli.render.style import Mark

Item = Mapping[str, Any]

ANYSCALE, CLUSTER = "anyscale", "cluster"
_IN_CLUSTER = ("k8s", "helm")
_PLACE = re.compile(r"([a-z0-9]+):")
_NOTE_GAP = 3


class Row(NamedTuple):
    """`note` is what is not a matter of course; `details` are keys and ids, to copy."""

    mark: Mark
    word: str
    title: str
    note: Text | None = None
    details: Sequence[str] = ()


def show(
    console: Console, pairs: Iterable[tuple[Item, Row]], header: Item, *, indent: int = 2
) -> None:
    """The rows of some items, the account's first, then Anyscale's, then the cluster's."""
    pairs = list(pairs)
    places = dict.fromkeys(place(item) for item, _ in pairs)
    for here in sorted(places, key=_order):
        rows = [row for item, row in pairs if place(item) == here]
        console.print(Text(" " * indent + _title(here, header), style="dim"))
        _rows(console, rows, indent + 2)


def place(item: Item) -> str:
    """`anyscale`, `cluster`, or the cloud (`aws`); empty for an object outside that has no kind."""
    found = _PLACE.match(item["key"])
    where = found[1] if found else ""
    return CLUSTER if where in _IN_CLUSTER else where


def details(item: Item) -> list[str]:
    """Key and id, for those who want to look an object up."""
    lines = [item["key"]]
    if item.get("id") and item["id"] not in item["key"]:
        lines.append(str(item["id"]))
    return lines


def cluster_name(header: Item) -> str:
    """The cluster as people call it: the end of its resource name."""
    return table.text_of(header.get("cluster")).rpartition("/")[2]


def where(header: Item) -> str:
    """`demo in us-west-2`."""
    cluster, region = cluster_name(header), header.get("region")
    return f"{cluster} in {region}" if cluster and region else cluster


def exposed(header: Item) -> str:
    """`PUBLIC, for 203.0.113.0/24 only`."""
    networks = table.text_of(header.get("allow_cidrs"))
    exposure = str(header.get("exposure") or "")
    return f"{exposure}, for {networks} only" if exposure and networks else exposure


def _order(here: str) -> int:
    return {ANYSCALE: 1, CLUSTER: 2}.get(here, 0)


def _title(here: str, header: Item) -> str:
    if here == ANYSCALE:
        return "Anyscale"
    if here == CLUSTER:
        return f"Cluster {cluster_name(header)}".rstrip()
    cloud = here.upper() if len(here) <= len("aws") else here.capitalize()
    account = table.text_of(header.get("account"))
    if not account:
        return cloud
    return f"{cloud}, account {account}" if cloud else f"Account {account}"


def _rows(console: Console, rows: Sequence[Row], indent: int) -> None:
    words = max(len(row.word) for row in rows)
    # What has several names stands for itself: its note would push all others aside.
    noted = [len(row.title) for row in rows if row.note and len(row.title) <= console.width // 2]
    titles = max(noted, default=0)
    for row in rows:
        word = f"{row.word:<{words}} " if words else ""
        head = Text.assemble(" " * indent, (f"{row.mark.symbol} {word}", row.mark.style))
        below = len(head)
        head.append(row.title)
        if not row.note:
            console.print(head, soft_wrap=True)
        else:
            _noted(console, head, row.note, beside=below + titles + _NOTE_GAP, below=below + 2)
        for line in row.details:
            console.print(Text(" " * below + line, style="dim"), soft_wrap=True)


def _noted(console: Console, head: Text, note: Text, *, beside: int, below: int) -> None:
    """The note beside the title, all notes in one column, or below where there is no room."""
    room = console.width - beside
    if len(head) < beside and (len(note) <= room or room >= console.width // 3):
        head.append(" " * (beside - len(head)))
        table.wrapped(console, note, first=head, indent=beside)
        return
    table.wrapped(console, head[below - 2 :], first=head[: below - 2], indent=below - 2)
    table.wrapped(console, note, first=Text(" " * below), indent=below)
