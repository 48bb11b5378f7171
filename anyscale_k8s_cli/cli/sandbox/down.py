"""`sandbox down`: stop the sandbox."""

from anyscale_k8s_cli.cli.options import Common
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/sandbox-down/v1"

app, register = command(examples="anyscale sandbox down")


@register
@spread
def down(common: Common) -> int:
    """Stop the sandbox and forget all that was in it. None running is fine too."""
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.sandbox import show_down
    from anyscale_k8s_cli.cli.sandbox import attachment

    with Session(common, schema=SCHEMA) as session:
        with attachment.needing_packages():
            from anyscale_k8s_cli.sandbox import supervisor

            was_running = supervisor.down()
        return session.finish({"schema": SCHEMA, "was_running": was_running}, show_down)
