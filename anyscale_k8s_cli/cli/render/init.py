"""Where the new cloud.yaml is; or the file itself, where it was written nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text


def show_init(document: Mapping[str, Any], console: Console) -> None:
    if document["file"] is None:
        console.print(Text(document["text"]), soft_wrap=True, end="")
        return
    console.print(Text(f"{document['file']} is written; change it as you like, then:"))
    console.print(Text(f"  {document['next']}"), soft_wrap=True)
