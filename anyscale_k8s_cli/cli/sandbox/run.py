"""`sandbox run`: one command in a sandbox of its own."""

from typing import Annotated

import typer

from anyscale_k8s_cli.cli.sandbox.world_option import WorldOption
from anyscale_k8s_cli.cli.tree import CONTEXT, Page

app = typer.Typer(add_completion=False, rich_markup_mode=None)

Command = Annotated[
    list[str], typer.Argument(metavar="COMMAND", help="The command with its arguments.")
]


@app.command(
    cls=Page,
    epilog="""
    anyscale sandbox run -- anyscale cloud setup --provider eks --cluster-name demo --name a --yes
    anyscale sandbox run --world eks-old-kubernetes -- pytest tests
    """,
    context_settings={**CONTEXT, "ignore_unknown_options": True, "allow_interspersed_args": False},
)
def run(command: Command, world: WorldOption = None) -> int:
    """Run a command in a fresh sandbox that ends with it; its exit code is the command's.

    Nothing but the command itself writes to standard output.
    """
    from anyscale_k8s_cli.cli.sandbox import attachment
    from anyscale_k8s_cli.cli.sandbox.world_option import chosen

    with attachment.needing_packages():
        from anyscale_k8s_cli.sandbox import supervisor

        return int(supervisor.run(list(command), world=chosen(world).world))
