"""The tree of commands, loaded branch by branch, and how its help reads.

A group is a table of names, places and summaries: its help and its completion
import no command, and a command's help imports that command alone. The help is
plain text, because drawing boxes costs more than all the rest of it.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar, NamedTuple, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cli import console
from anyscale_k8s_cli.cli.program import as_typed, program

# Typer keeps the names of its contexts, formatters and commands to itself.
_Context = Any
_Formatter = Any
_Command = Any
F = TypeVar("F", bound=Callable[..., Any])

CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
OUTPUT = "Output"
_OPTIONS = "Options"
_WIDTH = 80
_CLOSE = 0.75


class Entry(NamedTuple):
    """One command: `module:attribute` of its Typer app, and its line in the group's help."""

    place: str
    summary: str


class Page(TyperCommand):
    """A command whose options are listed under headings, and whose epilog is examples."""

    def format_options(self, ctx: _Context, formatter: _Formatter) -> None:
        _write_options(self.get_params(ctx), ctx, formatter)

    def format_epilog(self, ctx: _Context, formatter: _Formatter) -> None:
        _write_examples(self.epilog, formatter)


class Branch(TyperGroup):
    """A group that knows its commands from a table and imports the one that is asked for."""

    table: ClassVar[Mapping[str, Entry]] = {}
    # Whether Anyscale's own client has a group of this name too.
    vendors: ClassVar[bool] = True

    def get_params(self, ctx: _Context) -> list[Any]:
        """The same, but that a flag nobody gave is False.

        Typer's own are None, and to check a None it imports pydantic, which
        costs more than all the rest of a help page.
        """
        params = super().get_params(ctx)
        for param in params:
            if getattr(param, "is_flag", False) and param.default is None:
                param.default = False
        return params

    def list_commands(self, ctx: _Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: _Context, cmd_name: str) -> _Command | None:
        entry = self.table.get(cmd_name)
        return load(cmd_name, entry) if entry else None

    def resolve_command(self, ctx: _Context, args: list[str]) -> Any:
        name = args[0]
        if name in self.table or name.startswith("-"):
            return super().resolve_command(ctx, args)
        path = ctx.command_path.split()[1:]
        close = difflib.get_close_matches(name, self.table, n=1, cutoff=_CLOSE)
        if close:
            raise errors.CliError(
                errors.USAGE,
                f"There is no command {name!r}",
                fix=" ".join([program(), *path, close[0]]),
            )
        from anyscale_k8s_cli.cli import vendor

        if path and not (self.vendors and vendor.find()):
            raise self._unknown(path, name)
        raise typer.Exit(vendor.hand_on([*path, *args]))

    def _unknown(self, path: Sequence[str], name: str) -> errors.CliError:
        group = " ".join([program(), *path])
        also = "; Anyscale's own client, which may have it, is not installed here"
        return errors.CliError(
            errors.USAGE,
            f"There is no command `{group} {name}`",
            cause=f"there are: {', '.join(self.table)}{also if self.vendors else ''}",
            fix=f"{group} --help",
        )

    def shell_complete(self, ctx: _Context, incomplete: str) -> list[Any]:
        # The only way to its class that Typer leaves open.
        from typer.core import CompletionItem  # type: ignore[attr-defined]

        found = [
            CompletionItem(name, help=entry.summary)
            for name, entry in self.table.items()
            if name.startswith(incomplete)
        ]
        return [*found, *TyperCommand.shell_complete(self, ctx, incomplete)]

    def format_options(self, ctx: _Context, formatter: _Formatter) -> None:
        with formatter.section(_heading("Commands")):
            formatter.write_dl([(name, entry.summary) for name, entry in self.table.items()])
        _write_options(self.get_params(ctx), ctx, formatter)

    def format_epilog(self, ctx: _Context, formatter: _Formatter) -> None:
        _write_examples(self.epilog, formatter)


def group(branch: type[Branch], *, name: str, summary: str, examples: str) -> typer.Typer:
    """A Typer app for a group; called with no command it shows its help."""
    app = typer.Typer(
        name=name,
        cls=branch,
        help=summary,
        epilog=examples,
        add_completion=False,
        rich_markup_mode=None,
        invoke_without_command=True,
        subcommand_metavar="COMMAND ...",
        context_settings=CONTEXT,
    )

    @app.callback()
    def show_help(ctx: typer.Context) -> None:
        if ctx.invoked_subcommand is None:
            typer.echo(ctx.get_help())

    return app


def command(*, examples: str) -> tuple[typer.Typer, Callable[[F], F]]:
    """A Typer app for one command, and the decorator that registers its function."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    return app, app.command(cls=Page, epilog=examples, context_settings=CONTEXT)


def load(name: str, entry: Entry) -> _Command:
    """Import a command and build it."""
    module, _, attribute = entry.place.partition(":")
    built: _Command = typer.main.get_command(getattr(import_module(module), attribute or "app"))
    built.name = name
    return built


def walk(branch: type[Branch], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its path; imports them all."""
    for name, entry in branch.table.items():
        built = load(name, entry)
        yield (*path, name), built
        if isinstance(built, Branch):
            yield from walk(type(built), (*path, name))


def _write_options(params: Sequence[Any], ctx: _Context, formatter: _Formatter) -> None:
    panels: dict[str, list[tuple[str, str]]] = {}
    for param in params:
        record = param.get_help_record(ctx)
        if record is not None:
            # Typer adds types and ranges, which say less than the words do.
            argument = param.param_type_name == "argument"
            names = param.metavar or param.human_readable_name if argument else record[0]
            panels.setdefault(_panel(param), []).append((names, param.help or ""))
    for title in sorted(panels, key=lambda title: _rank(title, panels[title])):
        with formatter.section(_heading(title)):
            formatter.write_dl(panels[title], col_max=26)


def _panel(param: Any) -> str:
    if param.param_type_name == "argument":
        return "Arguments"
    return getattr(param, "rich_help_panel", None) or _OPTIONS


def _rank(title: str, records: Sequence[object]) -> int:
    """What is the command's own comes first, what every command has comes last."""
    if title == _OPTIONS:
        return 1 if len(records) > 1 else 4  # --help alone
    return {"Arguments": 0, OUTPUT: 3}.get(title, 2)


def _write_examples(examples: str | None, formatter: _Formatter) -> None:
    if not examples:
        return
    with formatter.section(_heading("Examples")):
        for line in examples.strip().splitlines():
            formatter.write(f"  {_folded(as_typed(line.strip()))}\n")


def _folded(command: str) -> str:
    """A long command on several lines that a shell takes as one."""
    line, *options = re.split(r" (?=--|\| )", command)
    lines = []
    for option in options:
        if len(f"  {line} {option} \\") > _WIDTH and sys.platform != "win32":
            lines.append(f"{line} \\")
            line = f"    {option}"
        else:
            line = f"{line} {option}"
    return "\n  ".join([*lines, line])


def _heading(title: str) -> str:
    return typer.style(title, bold=True) if console.colour_wanted(sys.stdout) else title
