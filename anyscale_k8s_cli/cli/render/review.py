"""One page for a security review, section by section."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli.render import objects, table


def show_review(document: Mapping[str, Any], console: Console) -> None:
    console.print()
    console.print(Text(f"Security review of {document['cloud']}", style="bold"))
    table.facts(
        console,
        [
            ("cluster", objects.where(document)),
            ("account", document["account"]),
            ("namespace", document["operator_namespace"]),
        ],
    )
    table.heading(console, "Outside the cluster: what there is, and what it may do")
    for item in document["outside"]:
        where = f"  ({item['where']})" if item["where"] else ""
        _line(console, f"{item['what']}: {item['name']}{where}")
        for right in item["rights"]:
            _line(console, right, depth=2)
    table.heading(console, "Roles in the cluster")
    for item in document["rights"]:
        place = f"in {item['namespace']}" if item["namespace"] else "in every namespace"
        whose = ", ".join(item["subjects"]) or "bound to nobody"
        _line(console, f"{item['kind']} {item['name']}, {place}: {whose}")
        for rule in item["rules"]:
            _line(console, _rule(rule), depth=2)
    table.heading(console, "Secrets: where they are kept")
    for item in document["secrets"]:
        _line(console, f"{item['namespace']}/{item['name']}: {item['holds']}")
    if not document["secrets"]:
        _line(console, "none: the platform vouches for the operator")
    table.heading(console, "Ports: who listens, and for whom")
    for item in document["ports"]:
        _line(console, f"{item['port']} {item['protocol']}, {item['where']}: {item['who']}")
    table.heading(console, "Egress: whom is talked to")
    for item in document["egress"]:
        _line(console, f"{item['host']}: {item['why']}, from {item['from']}")
    table.heading(console, "Images that run")
    for item in document["images"]:
        digest = f"  {item['digest']}" if item["digest"] else ""
        _line(console, f"{item['image']}{digest}  (in {item['namespace']})")
    table.heading(console, "What whoever sets it up needs")
    table.command(console, document["setup"])


def _line(console: Console, text: str, depth: int = 1) -> None:
    indent = " " * (2 * depth)
    table.wrapped(console, Text(text), first=Text(indent), indent=len(indent) + 2)


def _rule(rule: Mapping[str, Any]) -> str:
    groups = [group or "core" for group in rule.get("apiGroups") or ()]
    of = f" of {', '.join(groups)}" if groups else ""
    named = rule.get("resourceNames")
    only = f", named {', '.join(named)} alone" if named else ""
    what = ", ".join(rule.get("resources") or rule.get("nonResourceURLs") or ())
    return f"{', '.join(rule.get('verbs') or ())}: {what}{of}{only}"
