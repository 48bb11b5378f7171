"""`cloud status`: tell whether a cloud is healthy."""

from anyscale_k8s_cli.cli.options import Common, WhichCloud
from anyscale_k8s_cli.cli.place_options import SearchOptions
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/status/v1"

app, register = command(
    examples="""
    anyscale cloud status prod
    anyscale cloud status prod -o json
    """
)


@register
@spread
def status(which: WhichCloud, where: SearchOptions, common: Common) -> int:
    """Tell whether a cloud is healthy, and what mends it if it is not.

    The exit code is 0 for a cloud that is healthy with all that it depends on, and
    6 for any other.
    """
    from anyscale_k8s_cli.cli import settings
    from anyscale_k8s_cli.cli.cloud.choice import chosen
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.status import show_status
    from anyscale_k8s_cli.errors import ExitCode

    with Session(common, schema=SCHEMA) as session:
        name, cloud_id = chosen(which, session)
        from anyscale_k8s_cli.operations import status as operation
        from anyscale_k8s_cli.operations.requests import StatusRequest

        request = StatusRequest(
            environment=session.environment,
            name=name,
            cloud_id=cloud_id,
            flags=settings.from_options(where),
        )
        report = session.execute(lambda run: operation.status(request, run))
        document = report.as_json()
        well = document.get("health") == "HEALTHY" and not document.get("cause")
        return session.finish(
            document,
            lambda shown, console: show_status(shown, console, verbose=common.verbose),
            code=0 if well else int(ExitCode.CHECKS_FAILED),
        )
