"""Policies as they are pasted: the documents and nothing around them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text


def show_permissions(document: Mapping[str, Any], console: Console) -> None:
    for policy in document["documents"]:
        console.print(Text(policy["text"]), soft_wrap=True)
