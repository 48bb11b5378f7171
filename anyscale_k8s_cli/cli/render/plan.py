"""A plan, under a head that says whose account and which cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli.render import objects, table
from anyscale_k8s_cli.cli.render.style import CHANGES, UNKNOWN, counted
from anyscale_k8s_cli.cli.render.upgrade import show_upgrade

_WRITES = ("create", "update", "delete")
_PUBLIC = (
    "PUBLIC: the load balancer is open to the internet. "
    "--allow-cidr narrows that, --expose internal ends it."
)
_NARROWED = "PUBLIC: the load balancer has a public address and lets in only {}."
_SHARED = "shared: one for all installs on the cluster; it goes with the last of them"
# The kinds of object behind which the platform makes a load balancer.
_LOAD_BALANCED = ("k8s:gateway", "helm:ingress")


def show_plan(
    document: Mapping[str, Any], header: Mapping[str, Any], console: Console, *, verbose: bool
) -> None:
    """The whole plan: where, what, and how much of it changes; an upgrade's differences first.

    What stays as it is is counted; `verbose` names it too, and gives all keys and ids.
    """
    show_header(header, console)
    show_upgrade(document["resources"], console, verbose=verbose)
    shown = [item for item in document["resources"] if verbose or item["change"] != "none"]
    if shown:
        table.heading(console, "Plan")
        pairs = [(item, _row(item, header, verbose=verbose)) for item in shown]
        objects.show(console, pairs, header)
        if any(item.get("ownership") == "shared" for item, _ in pairs):
            table.wrapped(console, Text(_SHARED, "dim"), first=Text("  "), indent=2)
    _show_findings(document.get("checks") or [], document.get("error") or {}, console)
    table.warnings(console, document.get("warnings") or [])
    console.print()
    console.print(Text(summary(document["summary"]), style="bold"))
    if header.get("next") and changes(document["summary"]) and not document.get("error"):
        table.heading(console, "Next")
        table.command(console, header["next"])


def show_header(header: Mapping[str, Any], console: Console) -> None:
    """What is about to be touched; printed before the first write."""
    cloud, provider = header.get("cloud", ""), header.get("provider", "")
    title = f"Cloud {cloud}" + (f" on {str(provider).upper()}" if provider else "")
    table.heading(console, title)
    table.facts(
        console,
        [
            *place_facts(header),
            ("exposure", _exposure(header)),
            ("options", _from_environment(header)),
            *_of_pods(header.get("pods") or {}),
        ],
    )


def _of_pods(pods: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What was said of pods: where they go, what they are marked with, how they get out."""
    place = [f"{key}={value}" for key, value in (pods.get("node_selector") or {}).items()]
    tolerated = pods.get("tolerations") or []
    yield "nodes", "; ".join(filter(None, (", ".join(place), _after("tolerating", tolerated))))
    marks = {**(pods.get("labels") or {}), **(pods.get("annotations") or {})}
    yield "pods", _after("marked", [f"{key}={value}" for key, value in marks.items()])
    logins = _after("with", pods.get("image_pull_secrets") or [])
    yield "images", f"{_after('from', _one(pods, 'image_registry'))} {logins}".strip()
    yield "proxy", ", ".join(_one(pods, "http_proxy") + _one(pods, "https_proxy"))
    yield "no proxy", ", ".join(pods.get("no_proxy") or [])
    yield "trusted", "authorities of your own" if pods.get("ca_bundle") else ""


def _one(pods: Mapping[str, Any], key: str) -> list[str]:
    return [str(pods[key])] if pods.get(key) else []


def _after(word: str, texts: Sequence[str]) -> str:
    return f"{word} {', '.join(texts)}" if texts else ""


def place_facts(header: Mapping[str, Any]) -> list[tuple[str, Text | str | None]]:
    """Account and cluster, so that nobody changes the wrong one."""
    return [
        ("sandbox", "nothing real is touched" if header.get("sandbox") else ""),
        ("account", table.text_of(header.get("account"))),
        ("cluster", objects.where(header)),
        ("endpoint", table.text_of(header.get("endpoint"))),
        ("cluster UID", table.text_of(header.get("cluster_uid"))),
        ("namespace", table.text_of(header.get("namespace"))),
    ]


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


def _row(item: Mapping[str, Any], header: Mapping[str, Any], *, verbose: bool) -> objects.Row:
    change = item["change"]
    notes: list[tuple[str, str]] = []
    if item.get("kind") in _LOAD_BALANCED and change in _WRITES:
        notes.append(_load_balancer(header))
    if item.get("ownership") == "shared" and change in _WRITES:
        notes.append(("shared", "magenta"))
    # That something is created because it is not there goes without saying.
    if item.get("reason") and (change != "create" or verbose):
        notes.append((item["reason"], "dim"))
    return objects.Row(
        CHANGES.get(change, UNKNOWN),
        change,
        item["title"],
        Text("; ").join(Text(text, style) for text, style in notes) if notes else None,
        objects.details(item) if verbose else (),
    )


def _load_balancer(header: Mapping[str, Any]) -> tuple[str, str]:
    """What stands behind the way in: the one thing in a plan that costs by the hour."""
    exposure = str(header.get("exposure") or "")
    public = exposure.lower() == "public"
    text = f"{exposure} load balancer (billed)".lstrip()
    return text, "bold red" if public and not header.get("allow_cidrs") else "bold"


def _show_findings(
    checks: Sequence[Mapping[str, Any]], error: Mapping[str, Any], console: Console
) -> None:
    """The checks that did not pass; waived ones stay visible.

    What the one has seen that ends the command is told by its error.
    """
    shown = [item for item in checks if item["status"] != "pass"]
    if shown:
        table.heading(console, "Checks")
        table.findings(console, shown, (error.get("cause"), error.get("fix")))


def _exposure(header: Mapping[str, Any]) -> Text | None:
    exposure = str(header.get("exposure") or "")
    if exposure.lower() != "public":
        return Text(exposure) if exposure else None
    networks = header.get("allow_cidrs")
    text = _NARROWED.format(table.text_of(networks)) if networks else _PUBLIC
    return Text(text, style="bold red" if not networks else "bold")


def _from_environment(header: Mapping[str, Any]) -> str:
    """`--region from AWS_REGION`: what nobody typed and yet holds."""
    variables = dict(header.get("environment") or {})
    if header.get("sandbox"):
        # Where the sandbox's charts are is no more of a setting than where its clouds are.
        variables.pop("--chart-mirror", None)
    return ", ".join(f"{option} from {name}" for option, name in sorted(variables.items()))
