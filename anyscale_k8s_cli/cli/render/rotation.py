"""What a rotation has done: the key in use, and what was revoked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli.render import table
from anyscale_k8s_cli.cli.render.style import RESULTS, counted, duration


def show_rotation(
    document: Mapping[str, Any], header: Mapping[str, Any], console: Console, *, verbose: bool
) -> None:
    """The report, finished or failed; `verbose` gives whole ids."""
    failed = bool(document.get("error"))
    mark = RESULTS["failed" if failed else "done"]
    verdict = "has no new key in use yet" if failed else "has a new key"
    title = f"The operator of {header.get('cloud', '')} {verdict}"
    console.print()
    console.print(Text.assemble((f"{mark.symbol} ", mark.style), (title, "bold")))
    key, revoked = document.get("key") or {}, document.get("revoked") or []
    table.facts(
        console,
        [
            ("key", _id(key.get("id") or "", verbose=verbose)),
            ("expires", str(key.get("expires_at") or "")[:10]),
            ("health", document.get("health")),
            ("revoked", counted(len(revoked), "old key") if revoked else ""),
            ("took", duration(float(document["seconds"])) if document.get("seconds") else ""),
        ],
    )


def _id(key_id: str, *, verbose: bool) -> str:
    return key_id if verbose else key_id[:8]
