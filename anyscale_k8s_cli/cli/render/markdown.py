"""The page of a review as Markdown, for a ticket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from anyscale_k8s_cli.cli.render import page

_FENCE = "```"


def report(document: Mapping[str, Any]) -> str:
    """Tables, and each document in full. Of a failure, what is told of it."""
    return "\n".join(_failure(document["error"]) if "error" in document else _page(document)) + "\n"


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    yield f"# {_cell(page.title(document))}"
    for part in page.parts(document):
        yield from ("", f"## {part.title}", "")
        if part.rows:
            yield from _table(part.columns, part.rows)
        for told in part.documents:
            yield from ("", f"### {_cell(told.title)}", "", f"{told.form}:", "")
            yield from _fenced(told.text)


def _failure(error: Mapping[str, Any]) -> Iterator[str]:
    yield f"# {_cell(error['message'])}"
    told = (error.get("cause"), *error.get("evidence", ()), error.get("fix"), error["code"])
    yield from ("", *_fenced("\n".join(line for line in told if line)))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for line in (columns, ["---"] * len(columns), *rows):
        yield f"| {' | '.join(map(_cell, line))} |"


def _fenced(text: str) -> list[str]:
    """In a fence that is longer than any in the text."""
    fence = _FENCE
    while fence in text:
        fence += "`"
    return [fence, text.rstrip("\n"), fence]


def _cell(text: str) -> str:
    """In one line, with nothing in it that a table or HTML would take for its own."""
    for found, told in (("\n", " "), ("|", r"\|"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(found, told)
    return text
