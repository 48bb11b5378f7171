"""The sandbox as a person sees it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.cli.render import table

if TYPE_CHECKING:
    from anyscale_k8s_cli.sandbox.supervisor import SandboxRecord


_WHERE = frozenset(
    (
        *("--provider", "--name", "--cluster-name", "--context", "--region"),
        *("--resource-group", "--project-id"),
    )
)
_ORDINARY = "--provider eks --cluster-name demo --name try"


def record_document(schema: str, record: SandboxRecord) -> dict[str, Any]:
    """The record as JSON, without its environment, which holds credentials."""
    return {
        "schema": schema,
        "url": record.url,
        "pid": record.pid,
        "world": record.world,
        "setup": record.setup,
    }


def show_up(document: Mapping[str, Any], console: Console) -> None:
    console.print(Text.assemble(("✓ ", "green"), ("A sandbox is running", "bold")))
    told = [("address", document["url"]), ("process", str(document["pid"]))]
    table.facts(console, [*told, ("world", document["world"])])
    table.heading(console, "Next")
    # What is in a world of one's own, its owner knows.
    words = document["setup"] or ("" if document["world"] else _ORDINARY)
    if words:
        table.command(console, f"anyscale cloud setup --sandbox {words}")
    table.command(console, 'eval "$(anyscale sandbox env)"')
    table.command(console, "anyscale sandbox down")


def show_worlds(document: Mapping[str, Any], console: Console) -> None:
    """A line of the table for each, and below it what it is about and what a setup there needs."""
    worlds = document["worlds"]
    rows = [(item["name"], ", ".join(item["platforms"]), item["ends"]) for item in worlds]
    heads, *lines = table.aligned([("NAME", "PLATFORM", "A SETUP ENDS"), *rows])
    console.print(Text(heads, "dim"), soft_wrap=True)
    for line, item in zip(lines, worlds, strict=True):
        console.print(Text(line), soft_wrap=True)
        table.wrapped(console, Text(item["about"], "dim"), first=Text("    "), indent=4)
        if options := " ".join(own_options(item["setup"])):
            table.wrapped(console, Text(options), first=Text("    with ", "dim"), indent=9)
    table.heading(console, "Next")
    table.command(console, "anyscale sandbox up --world NAME")


def own_options(setup: str) -> Iterator[str]:
    """What a setup in a world is told besides its name and where its cluster is."""
    option = ""
    for word in shlex.split(setup):
        option = word if word.startswith("--") else option
        if option not in _WHERE:
            yield shlex.quote(word)


def show_down(document: Mapping[str, Any], console: Console) -> None:
    running = document["was_running"]
    console.print("The sandbox is stopped." if running else "No sandbox was running.")


def show_switched(document: Mapping[str, Any], console: Console) -> None:
    console.print(f"Changed: {', '.join(document['changed'])}", soft_wrap=True)


def environment_shower(shell: str) -> Callable[[Mapping[str, Any], Console], None]:
    """Prints the lines in the syntax of the shell, and nothing else."""

    def show(document: Mapping[str, Any], console: Console) -> None:
        for line in (
            *environment_lines(shell, document["set"], document["unset"]),
            path_line(shell, document["path"]),
        ):
            console.file.write(f"{line}\n")

    return show


def path_line(shell: str, first: str) -> str:
    """The sandbox's own programs, `helm` among them, before others of their names."""
    if shell == "powershell":
        quoted = first.replace("'", "''")
        return f"$env:PATH = '{quoted};' + $env:PATH"
    return f'export PATH={shlex.quote(first)}:"$PATH"'


def environment_lines(shell: str, variables: Mapping[str, str], removed: list[str]) -> list[str]:
    if shell == "powershell":
        lines = [f"Remove-Item Env:{name} -ErrorAction SilentlyContinue" for name in removed]
        quoted = {name: value.replace("'", "''") for name, value in variables.items()}
        return lines + [f"$env:{name} = '{value}'" for name, value in sorted(quoted.items())]
    lines = [f"unset {' '.join(removed)}"] if removed else []
    return lines + [
        f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items())
    ]
