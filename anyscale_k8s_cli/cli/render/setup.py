"""What setup has made: whether it works, where it is, and what to type next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli.render import objects, table
from anyscale_k8s_cli.cli.render.style import HEALTH, RESULTS, UNKNOWN, VERBS, counted, duration
from anyscale_k8s_cli.cli.render.verify import show_checks

_REGISTRATION = "anyscale:cloud-resource"


def show_setup(
    document: Mapping[str, Any], header: Mapping[str, Any], console: Console, *, verbose: bool
) -> None:
    """The report of an apply, finished or failed; `verbose` names each object with its ids."""
    failed = bool(document.get("error"))
    name = header.get("cloud", "")
    health = str(document.get("health") or "UNKNOWN")
    mark = RESULTS["failed"] if failed else HEALTH.get(health, UNKNOWN)
    verdict = _failed(document) if failed else f"is {health}"
    console.print()
    console.print(
        Text.assemble((f"{mark.symbol} ", mark.style), (f"Cloud {name} {verdict}", "bold"))
    )
    table.facts(
        console,
        [
            ("id", document.get("cloud_id")),
            ("resource", document.get("cloud_resource_id") if verbose else ""),
            ("console", "" if header.get("sandbox") else header.get("console")),
            ("cluster", objects.where(header)),
            ("bucket", header.get("bucket")),
            ("identity", header.get("identity")),
            ("token", header.get("token")),
            ("address", header.get("address")),
            ("exposure", objects.exposed(header) if header.get("address") else ""),
            ("namespaces", table.text_of(header.get("namespaces"))),
            ("releases", table.text_of(header.get("releases"))),
            ("took", _took(document)),
        ],
    )
    _objects(document, header, console, verbose=verbose)
    if document.get("probe"):
        table.heading(console, "Asked from a pod")
        show_checks(document["probe"], console, verbose=verbose)
    told = header.get("told") or []
    table.warnings(console, [text for text in document.get("warnings") or [] if text not in told])
    if not failed and name:
        table.heading(console, "Next")
        table.command(console, f"anyscale cloud status {name}")
        table.command(console, f"anyscale cloud delete {name}")


def _objects(
    document: Mapping[str, Any], header: Mapping[str, Any], console: Console, *, verbose: bool
) -> None:
    """What did not become what it should, and with `verbose` all that was written."""
    shown = []
    for item in document.get("resources", []):
        result = item.get("result", "")
        wanted = item["change"] in VERBS
        if result == "failed" or (wanted and (verbose or result == "skipped")):
            word = VERBS[item["change"]].done if result == "done" else result
            details = objects.details(item) if verbose else ()
            row = objects.Row(RESULTS.get(result, UNKNOWN), word, item["title"], details=details)
            shown.append((item, row))
    if shown:
        table.heading(console, "What was done" if verbose else "What was not done")
        objects.show(console, shown, header)


def _failed(document: Mapping[str, Any]) -> str:
    """A cloud that was there before is not `not set up`: what is wrong with it is.

    Nor is one that is asked from a pod, which comes last: then that alone has failed.
    """
    if document.get("probe"):
        return "is set up, and what was asked from a pod failed"
    registered = [
        item["change"] for item in document.get("resources", []) if item["kind"] == _REGISTRATION
    ]
    if registered in ([], ["create"]):
        return "is not set up"
    error = document["error"]
    results = {item.get("result") for item in document.get("resources", [])}
    if "failed" in results or results <= {None}:
        return f"was not updated: {error['message']}"
    return f"is not well: {error.get('cause') or error['message']}"


def _took(document: Mapping[str, Any]) -> str:
    """`1m 02s: 3 created, 1 updated, 13 as they were`."""
    seconds = document.get("seconds")
    if seconds is None:
        return ""
    parts = []
    written = Counter(
        item["change"] for item in document.get("resources", []) if item.get("result") == "done"
    )
    for change, verb in VERBS.items():
        if written[change]:
            parts.append(f"{written[change]} {verb.done}")
    same = sum(document["summary"].get(name, 0) for name in ("none", "keep", "adopt"))
    if same:
        parts.append(f"{counted(same, 'object')} used as found")
    return ": ".join(part for part in (duration(float(seconds)), ", ".join(parts)) if part)
