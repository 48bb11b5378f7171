"""`sandbox up`: start a sandbox in the background."""

import sys
from typing import Annotated

import typer

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cli.options import Common
from anyscale_k8s_cli.cli.sandbox.world_option import WorldOption
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/sandbox-up/v1"

app, register = command(
    examples="""
    anyscale sandbox up
    anyscale sandbox up --world eks-old-kubernetes
    anyscale sandbox up --world my-world.yaml --wait 120
    """
)

Wait = Annotated[
    int | None,
    typer.Option(
        "--wait", metavar="SECONDS", min=1, help="How long it may take; 60 seconds if not given."
    ),
]


@register
@spread
def up(common: Common, world: WorldOption = None, wait: Wait = None) -> int:
    """Start stand-ins for Anyscale, Kubernetes and every cloud in the background.

    They listen on this machine only. One that is already running is used.
    """
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.sandbox import record_document, show_up
    from anyscale_k8s_cli.cli.sandbox import attachment
    from anyscale_k8s_cli.cli.sandbox.world_option import chosen

    with Session(common, schema=SCHEMA) as session:
        with attachment.needing_packages():
            from anyscale_k8s_cli.sandbox import supervisor

            wanted = chosen(world)
            record = supervisor.attached()
            if record is None:
                sys.stderr.write("Starting a sandbox.\n")
                sys.stderr.flush()
                seconds = float(wait or attachment.START_SECONDS)
                record = supervisor.up(seconds, world=wanted.world, named=wanted.named)
            elif world is not None and record.world != wanted.named:
                raise _other(record.world)
        return session.finish(record_document(SCHEMA, record), show_up)


def _other(running: str) -> errors.CliError:
    return errors.CliError(
        errors.USAGE,
        "A sandbox with another world is running",
        cause=f"it was started with {running}" if running else "it is the ordinary one",
        fix="anyscale sandbox down, and then this once more",
    )
