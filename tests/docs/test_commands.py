"""Commands in pages, in examples and in messages are commands that there are."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from anyscale_k8s_cli.cli import main, tree

from .conftest import ROOT, name, pages, parsed

OURS = re.compile(r"(?:^|[/ ])(?:anyscale|anyscale-k8s)$")
FENCED = re.compile(r"^```(?:sh|console|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:\.venv/bin/)?anyscale [^`]+)`")
# In messages a command ends where punctuation does.
IN_MESSAGE = re.compile(r"\banyscale(?: (?! )[\w./…=<>-]+)+")
SEPARATORS = {"&&", "||", ";", "|", "--"}

# Handed on to Anyscale's own client.
OF_THE_VENDOR = {("job",), ("cloud", "config")}


@cache
def known() -> dict[tuple[str, ...], set[str]]:
    """The options of every command; not at import, since each worker collects every test."""
    return {
        path: {flag for param in command.params for flag in param.opts}
        for path, command in tree.walk(main.Commands)
    }


def commands(line: str) -> Iterator[list[str]]:
    """The words of each of our commands in a line, those inside quotes too."""
    words: list[str] = []
    for word in [*shlex.split(line, comments=True), ";"]:
        if word in SEPARATORS:
            yield from _ours(words)
            words = []
        elif " " in word and "anyscale " in word:
            for part in word.splitlines():
                yield from commands(part)
        else:
            words.append(word)


def _ours(words: list[str]) -> Iterator[list[str]]:
    for place, word in enumerate(words):
        if OURS.search(word) and words[place + 1 :]:
            yield words[place + 1 :]
            return


def wrong(words: list[str]) -> list[str]:
    """What does not exist of a command: itself, or its options."""
    if {tuple(words[:1]), tuple(words[:2])} & OF_THE_VENDOR:
        return []
    path: tuple[str, ...] = ()
    rest = list(words)
    while rest and (*path, rest[0]) in known():
        path = (*path, rest.pop(0))
    line = " ".join(words)
    if not path and words[0] not in ("--help", "--version"):
        return [line]
    groups = {longer[:-1] for longer in known() if len(longer) > 1}
    if path in groups and rest and not rest[0].startswith(("-", "…")):
        return [line]
    ours = known().get(path, set()) | {"--help", "-h", "--version"}
    flags = (word.partition("=")[0] for word in rest)
    return [f"{flag}: {line}" for flag in flags if re.match(r"--?[a-z]", flag) and flag not in ours]


def shown(page: Path) -> Iterator[list[str]]:
    """The words of each of our commands in a page."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in FENCED.findall(text) for line in block.splitlines()]
    for line in [*lines, *INLINE.findall(text)]:
        if "anyscale" in line and not line.startswith(("anyscale-k8s-cli", "|")):
            bare = line.removeprefix("$ ").replace("'", "") if "'s " in line else line
            yield from commands(bare)


def test_commands_in_pages_exist() -> None:
    found = [(name(page), words) for page in pages() for words in shown(page)]

    assert len(found) > 100
    assert [(page, line) for page, words in found for line in wrong(words)] == []


def messages(module: ast.Module) -> Iterator[str]:
    """The texts of a module; what is put into them later is a word."""
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(
                item.value if isinstance(item, ast.Constant) else "X" for item in node.values
            )


def test_commands_in_messages_exist() -> None:
    texts = {text for _, module in parsed(where="anyscale ") for text in messages(module)}
    found = {found for text in texts for found in IN_MESSAGE.findall(text)}
    first = {path[0] for path in known()}
    ours = [words for text in sorted(found) for words in commands(text) if words[0] in first]

    assert len(ours) > 30
    assert [line for words in ours for line in wrong(words)] == []


def test_options_that_fixes_name_exist() -> None:
    ours = {flag for flags in known().values() for flag in flags} | {"--help"}
    foreign = re.compile(r"\b(?:aws|az|gcloud|gsutil|helm|kubectl|nebius|oci|docker) ")
    unknown = []
    for file, module in parsed(where="fix="):
        for node in ast.walk(module):
            if isinstance(node, ast.keyword) and node.arg == "fix":
                text = "".join(
                    item.value
                    for item in ast.walk(node.value)
                    if isinstance(item, ast.Constant) and isinstance(item.value, str)
                )
                named = set() if foreign.search(text) else set(re.findall(r"--[a-z][a-z-]+", text))
                unknown += [f"{file.name}: {flag}" for flag in named - ours]

    assert unknown == []


def test_the_commands_of_the_readme_are_those_that_ci_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    setup, tests = (block.strip() for block in blocks if block.startswith("python3 -m venv"))

    assert "\n" not in setup + tests
    assert "cloud setup --sandbox" in setup
    assert tests in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
