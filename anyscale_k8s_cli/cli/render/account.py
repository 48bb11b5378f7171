"""Logging in and out as a person sees it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli import console as consoles
from anyscale_k8s_cli.cli.render import table
from anyscale_k8s_cli.controlplane.credentials import TOKEN_VARIABLE


def address_shower(*, open_browser: bool) -> Callable[[str], None]:
    """What shows the login's address, and opens it where there is somebody to see it."""

    def show(address: str) -> None:
        console = consoles.rich_console(sys.stderr)
        console.print("Open this address and confirm:")
        table.command(console, address)
        if open_browser and consoles.can_ask():
            import webbrowser

            webbrowser.open(address)

    return show


def show_login(document: Mapping[str, Any], console: Console) -> None:
    user = document["user"]
    name = user["email"] or user["name"] or user["id"]
    console.print(Text.assemble(("✓ ", "green"), (f"Logged in as {name}", "bold")))
    organizations = ", ".join(item["name"] or item["id"] for item in document["organizations"])
    table.facts(
        console,
        [
            ("organization", organizations),
            ("console", document["host"]),
            ("token from", document["token_source"]),
        ],
    )


def show_logout(document: Mapping[str, Any], console: Console) -> None:
    if document["removed"]:
        console.print(f"The token in {document['file']} is gone.", soft_wrap=True)
    else:
        console.print(f"There was no token in {document['file']}.", soft_wrap=True)
    if document["variable_set"]:
        console.print(f"{TOKEN_VARIABLE} is still set in your environment.")


def show_fixed(document: Mapping[str, Any], console: Console) -> None:
    for path in document["fixed"]:
        console.print(f"{path} is now closed to others.", soft_wrap=True)
    if not document["fixed"]:
        console.print("Nobody but you can read the token.")
