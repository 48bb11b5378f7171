"""`sandbox env`: what points a shell at the sandbox."""

from typing import Annotated, Literal

import typer

from anyscale_k8s_cli.cli.options import Common
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/sandbox-env/v1"

app, register = command(
    examples="""
    eval "$(anyscale sandbox env)"
    anyscale sandbox env --shell powershell
    """
)

Shell = Annotated[
    Literal["sh", "powershell"],
    typer.Option(
        "--shell",
        metavar="sh|powershell",
        show_default=False,
        help="Whose syntax; sh if not given.",
    ),
]


@register
@spread
def env(common: Common, shell: Shell = "sh") -> int:
    """Print the lines that point a shell, and all started from it, at the sandbox.

    Variables that point at real clouds are taken away.
    """
    import os

    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.sandbox import environment_shower
    from anyscale_k8s_cli.cli.sandbox import attachment

    with Session(common, schema=SCHEMA) as session:
        record = attachment.running()
        document = {
            "schema": SCHEMA,
            "set": dict(record.environment),
            "unset": attachment.real_names(os.environ, record.environment),
            "path": str(attachment.executables(record)),
        }
        return session.finish(document, environment_shower(shell))
