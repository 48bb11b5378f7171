"""Commands in pages, in examples and in messages are commands that there are."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from anyscale_k8s_cli.cli import main, tree

from .conftest import ROOT, every_page, generator

OURS = re.compile(r"(?:^|[/ ])(?:anyscale|anyscale-k8s)$")
FENCED = re.compile(r"^```(?:sh|console|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:\.venv/bin/)?anyscale [^`]+)`")
# In messages a command ends where punctuation does.
IN_MESSAGE = re.compile(r"\banyscale(?: (?! )[\w./…=<>-]+)+")
SEPARATORS = {"&&", "||", ";", "|", "--"}

COMMANDS = {
    path: {flag for param in command.params for flag in param.opts}
    for path, command in tree.walk(main.Commands)
}
# Handed on to Anyscale's own client.
OF_THE_VENDOR = {("job",), ("cloud", "config")}
FIRST = {path[0] for path in COMMANDS}
GROUPS = {path[:-1] for path in COMMANDS if len(path) > 1}


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


def check(words: list[str]) -> None:
    """Raise when a command or one of its options does not exist."""
    if {tuple(words[:1]), tuple(words[:2])} & OF_THE_VENDOR:
        return
    path: tuple[str, ...] = ()
    rest = list(words)
    while rest and (*path, rest[0]) in COMMANDS:
        path = (*path, rest.pop(0))
    assert path or words[0] in ("--help", "--version"), f"no such command: {' '.join(words)}"
    assert path not in GROUPS or not rest or rest[0].startswith(("-", "…")), " ".join(words)
    known = COMMANDS.get(path, set()) | {"--help", "-h", "--version"}
    for word in rest:
        flag = word.partition("=")[0]
        assert not re.match(r"--?[a-z]", flag) or flag in known, f"{flag}: {' '.join(words)}"


@every_page()
def test_commands_in_pages_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    lines = [line for block in FENCED.findall(text) for line in block.splitlines()]
    for line in [*lines, *INLINE.findall(text)]:
        if "anyscale" in line and not line.startswith(("anyscale-k8s-cli", "|")):
            for words in commands(
                line.removeprefix("$ ").replace("'", "") if "'s " in line else line
            ):
                check(words)


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
    texts = {text for module in generator().parsed().values() for text in messages(module)}
    found = {found for text in texts if "anyscale " in text for found in IN_MESSAGE.findall(text)}
    ours = [words for text in sorted(found) for words in commands(text) if words[0] in FIRST]

    assert len(ours) > 30
    for words in ours:
        check(words)


def test_options_that_fixes_name_exist() -> None:
    known = {flag for flags in COMMANDS.values() for flag in flags} | {"--help"}
    foreign = re.compile(r"\b(?:aws|az|gcloud|gsutil|helm|kubectl|nebius|oci|docker) ")
    wrong = []
    for file, module in generator().parsed().items():
        for node in ast.walk(module):
            if isinstance(node, ast.keyword) and node.arg == "fix":
                text = "".join(
                    item.value
                    for item in ast.walk(node.value)
                    if isinstance(item, ast.Constant) and isinstance(item.value, str)
                )
                named = set() if foreign.search(text) else set(re.findall(r"--[a-z][a-z-]+", text))
                wrong += [f"{file.name}: {flag}" for flag in named - known]

    assert wrong == []


def test_the_commands_of_the_readme_are_those_that_ci_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    setup, tests = (block.strip() for block in blocks if block.startswith("python3 -m venv"))

    assert "\n" not in setup + tests
    assert "cloud setup --sandbox" in setup
    assert tests in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
