"""What is registered, and what is handed over: results, files, and the commands that come next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli.render import objects, table
from anyscale_k8s_cli.cli.render.plan import show_plan
from anyscale_k8s_cli.cli.render.style import RESULTS, STATUSES

_VERDICTS = {"create": "is registered", "update": "is registered anew"}
_REGISTRATION = "anyscale:cloud-resource"


def show_intent(
    document: Mapping[str, Any], header: Mapping[str, Any], console: Console, *, verbose: bool
) -> None:
    """What would be registered, and what was not looked at."""
    show_plan(document, header, console, verbose=verbose)
    _left_out(document.get("left_out") or [], console)


def show_register(
    document: Mapping[str, Any], header: Mapping[str, Any], console: Console, *, verbose: bool
) -> None:
    """What was registered, what was checked, and how it goes on."""
    failed = bool(document.get("error"))
    mark = RESULTS["failed" if failed else "done"]
    verdict = "is not registered" if failed else _verdict(document)
    title = f"Cloud {header.get('cloud', '')} {verdict}"
    console.print()
    console.print(Text.assemble((f"{mark.symbol} ", mark.style), (title, "bold")))
    table.facts(
        console,
        [
            ("id", document.get("cloud_id")),
            ("resource", document.get("cloud_resource_id")),
            ("cluster", objects.where(header) if header.get("cluster") else "none named"),
            ("exposure", objects.exposed(header)),
            ("values", document.get("values_file")),
            ("manifests", document.get("manifests_dir")),
        ],
    )
    if failed:
        return
    _checked(document, console, verbose=verbose)
    _left_out(document.get("left_out") or [], console)
    _texts(document, header, console)
    _next(document.get("next") or [], console)


def _verdict(document: Mapping[str, Any]) -> str:
    changes = (item["change"] for item in document["resources"] if item["kind"] == _REGISTRATION)
    return _VERDICTS.get(next(changes, ""), "is registered as it was: nothing has changed")


def _checked(document: Mapping[str, Any], console: Console, *, verbose: bool) -> None:
    """What is the person's own, and whether it is fit; then the checks."""
    brought = [item for item in document["resources"] if item["ownership"] == "adopted"]
    if not brought and not document["checks"]:
        return
    table.heading(console, "Checked")
    for item in brought:
        _told(console, "pass", item["title"], _fits(item, verbose=verbose))
    table.findings(console, document["checks"])


def _fits(item: Mapping[str, Any], *, verbose: bool) -> str:
    return f"it is there and fits ({item['id']})" if verbose else "it is there and fits"


def _left_out(items: Sequence[Mapping[str, str]], console: Console) -> None:
    if not items:
        return
    table.heading(console, "Not looked at")
    for item in items:
        _told(console, "unknown", item["title"], item["reason"])


def _told(console: Console, status: str, title: str, detail: str) -> None:
    mark = STATUSES[status]
    table.wrapped(
        console,
        Text.assemble(title, (f": {detail}", "dim")),
        first=Text(f"  {mark.symbol} ", mark.style),
        indent=4,
    )


def _texts(document: Mapping[str, Any], header: Mapping[str, Any], console: Console) -> None:
    """The files that were not written, in full: they are there to be copied."""
    texts: Mapping[str, str] = header.get("texts") or {}
    for name, text in texts.items():
        written = document["values_file"] if name == "values.yaml" else document["manifests_dir"]
        if written is None:
            table.heading(console, name)
            for line in text.splitlines():
                console.print(Text(f"  {line}".rstrip()), soft_wrap=True)


def _next(steps: Sequence[Mapping[str, str]], console: Console) -> None:
    if not steps:
        return
    table.heading(console, "Next")
    for number, step in enumerate(steps, 1):
        console.print(Text(f"  {number}. {step['title']}"))
        table.command(console, step["command"], indent=5)
