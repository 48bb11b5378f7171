"""The result of a command: one document or text, on standard output, and nothing else there."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from anyscale_k8s_cli.cli import console
from anyscale_k8s_cli.cli.program import as_typed

if TYPE_CHECKING:
    from rich.console import Console

Document = Mapping[str, Any]
Renderer = Callable[[Document, "Console"], None]


def write(document: Document, form: str, render: Renderer) -> None:
    """Show a result as text, json, yaml, junit or markdown.

    A reader that has gone is no failure.
    """
    try:
        if form == "text":
            render(typed(document), console.rich_console(sys.stdout))
        else:
            sys.stdout.write(_dumped(typed(document), form))
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would complain again when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def exit_code(document: Document) -> int:
    """What the process answers for this result: that of its error, else 0."""
    error = document.get("error")
    return int(error["exit_code"]) if error else 0


def _dumped(document: Document, form: str) -> str:
    if form == "junit":
        from anyscale_k8s_cli.cli.render import junit

        return junit.report(document)
    if form == "markdown":
        from anyscale_k8s_cli.cli.render import markdown

        return markdown.report(document)
    if form == "yaml":
        import yaml

        unicode = console.encodes(sys.stdout, "→")
        text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=unicode)
        return text
    indent = 2 if console.is_terminal(sys.stdout) else None
    ascii_only = not console.encodes(sys.stdout, "→")
    return json.dumps(document, indent=indent, ensure_ascii=ascii_only) + "\n"


def typed(value: Any) -> Any:
    """A document with our commands in it as this person would type them."""
    if isinstance(value, str):
        return as_typed(value)
    if isinstance(value, Mapping):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [typed(item) for item in value]
    return value
