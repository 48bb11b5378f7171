"""`cloud status`: tell whether a cloud is healthy."""

from typing import Annotated

from anyscale_k8s_cli.cli.options import Common, WhichCloud, option
from anyscale_k8s_cli.cli.place_options import SearchOptions
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/status/v1"

app, register = command(
    examples="""
    anyscale cloud status prod
    anyscale cloud status prod --features
    anyscale cloud status prod --wait --timeout 15m
    anyscale cloud status prod -o json
    """
)

Features = Annotated[
    bool,
    option(
        "--features",
        panel="What is told",
        help="Also say of each feature (logs in the console, services, each kind of GPU, spot, …) "
        "whether it works here, or why not and what to do.",
    ),
]
Wait = Annotated[
    bool,
    option(
        "--wait",
        panel="What is told",
        help="Wait until it is healthy, or never will be; --timeout says for how long.",
    ),
]


@register
@spread
def status(
    which: WhichCloud,
    where: SearchOptions,
    common: Common,
    *,
    features: Features = False,
    wait: Wait = False,
) -> int:
    """Tell whether a cloud is healthy, and what mends it if it is not.

    The exit code is 0 for a cloud that is healthy with all that it depends on, and
    6 for any other, whatever features it has; with --wait it is 3 where time ran out.
    With --features one small object is
    written into the bucket, by which the console's access is proven.
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
            features=features,
            wait=wait,
        )
        report = session.execute(lambda run: operation.status(request, run))
        document = report.as_json()
        well = document.get("health") == "HEALTHY" and not document.get("cause")
        return session.finish(
            document,
            lambda shown, console: show_status(shown, console, verbose=common.verbose),
            code=0 if well else int(ExitCode.CHECKS_FAILED),
        )
