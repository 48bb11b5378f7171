"""`sandbox status`: tell whether a sandbox is running."""

from anyscale_k8s_cli.cli.options import Common
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/sandbox-status/v1"

app, register = command(examples="anyscale sandbox status")


@register
@spread
def status(common: Common) -> int:
    """Tell whether a sandbox is running, and where; exit code 1 if there is none."""
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.sandbox import record_document, show_up
    from anyscale_k8s_cli.cli.sandbox import attachment

    with Session(common, schema=SCHEMA) as session:
        return session.finish(record_document(SCHEMA, attachment.running()), show_up)
