"""The way in: parse, run, and make of every end an exit code of the closed table."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cli import console
from anyscale_k8s_cli.cli.program import name, output_format, program, schema
from anyscale_k8s_cli.cli.tree import CONTEXT, Branch, Entry

# A tenth of a command's time went into looking for garbage among the classes of the SDKs,
# and found so little that what a command holds at its most did not change.
_OBJECTS_BETWEEN_COLLECTIONS = 500_000
_SECRET_OPTION = re.compile(r"token|secret|password|passwd|api-?key|access-?key|credential")


class Commands(Branch):
    table = {  # noqa: RUF012 - the base says that it belongs to the class
        "cloud": Entry("anyscale_k8s_cli.cli.cloud", "Set up, look at and remove clouds."),
        "mirror": Entry("anyscale_k8s_cli.cli.mirror", "What a registry of your own must hold."),
        "sandbox": Entry("anyscale_k8s_cli.cli.sandbox", "Try it all against local stand-ins."),
        "login": Entry("anyscale_k8s_cli.cli.login", "Log in to Anyscale in your browser."),
        "logout": Entry(
            "anyscale_k8s_cli.cli.auth:logout_app", "Forget the token of this machine."
        ),
        "doctor": Entry("anyscale_k8s_cli.cli.doctor", "Check this machine."),
        "auth": Entry("anyscale_k8s_cli.cli.auth", "Show or repair who you are logged in as."),
    }


app = typer.Typer(
    cls=Commands,
    name="anyscale",
    epilog="""
    anyscale login
    anyscale cloud setup --provider eks --region us-west-2 --cluster-name demo --name prod
    anyscale cloud setup --sandbox --provider eks --cluster-name demo --name try --yes
    """,
    rich_markup_mode=None,
    invoke_without_command=True,
    subcommand_metavar="COMMAND ...",
    context_settings=CONTEXT,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from anyscale_k8s_cli import DISTRIBUTION, tool_version

        typer.echo(f"{DISTRIBUTION} {tool_version()}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Anyscale clouds on Kubernetes: set up, registered and removed by one command each.

    Other commands, such as job or service, are handed on to Anyscale's own
    client if that is installed.
    """
    if ctx.invoked_subcommand is None and not version:
        typer.echo(ctx.get_help())


def main() -> int:
    """The console scripts' entry point; the exit code."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    console.prepare_streams()
    try:
        return run(sys.argv[1:])
    finally:
        # The interpreter's last collections cost a third of a short command, and free
        # nothing that the end of the process does not.
        gc.freeze()


def run(arguments: Sequence[str]) -> int:
    """Run one command; whatever happens, its end is told and has its code."""
    program()  # before anything changes the search path
    try:
        return _dispatch(arguments)
    except errors.CliError as problem:
        tell(problem, arguments)
        return int(problem.exit_code)


def tell(problem: errors.CliError, arguments: Sequence[str]) -> None:
    """Show an error: as text on standard error, as a document on standard output."""
    from anyscale_k8s_cli.cli import output
    from anyscale_k8s_cli.cli.render.errors import write_error

    form = output_format(arguments)
    if form == "text":
        write_error(problem.as_json(), sys.stderr)
        return
    document = {"schema": schema(arguments), "error": problem.as_json()}
    output.write(document, form, lambda *_: None)


def _dispatch(arguments: Sequence[str]) -> int:
    try:
        answer = typer.main.get_command(app).main(
            list(arguments), prog_name=name(), standalone_mode=False
        )
    except errors.CliError:
        raise
    except typer.TyperException as problem:
        raise _usage(problem) from problem
    except (typer.Abort, KeyboardInterrupt) as stopped:
        raise errors.CliError(errors.INTERRUPTED, "Interrupted") from stopped
    except Exception as problem:
        from anyscale_k8s_cli.cli import crash

        raise crash.told(problem) from problem
    return answer if isinstance(answer, int) else 0


def _usage(problem: typer.TyperException) -> errors.CliError:
    context = getattr(problem, "ctx", None)
    path = context.command_path.split()[1:] if context else []
    option = str(getattr(problem, "option_name", ""))
    if _SECRET_OPTION.search(option.lower()):
        return errors.CliError(
            errors.USAGE,
            f"{option}: secrets are not taken as options",
            cause="the arguments of a process can be read by others and stay in shell histories",
            fix="anyscale login, or set the environment variable ANYSCALE_CLI_TOKEN",
        )
    # The validator of choices says first that it is about a value.
    message = problem.format_message().replace("Value error, ", "")
    return errors.CliError(errors.USAGE, message, fix=" ".join([program(), *path, "--help"]))
