"""`cloud rotate-token`: give the operator another key."""

from typing import Annotated

import typer

from anyscale_k8s_cli.cli.options import Common, DryRun, HelmOptions, WhichCloud, Yes
from anyscale_k8s_cli.cli.place_options import SearchOptions
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/rotate-token/v1"

app, register = command(
    examples="""
    anyscale cloud rotate-token prod
    anyscale cloud rotate-token prod --token-lifetime 90 --yes
    """
)

Days = Annotated[
    int | None,
    typer.Option(
        "--token-lifetime",
        metavar="DAYS",
        min=1,
        show_default=False,
        rich_help_panel="What may change",
        help="How long the new key lives; else as setup was told, which is 365 by default.",
    ),
]


@register
@spread
def rotate_token(
    which: WhichCloud,
    where: SearchOptions,
    helm: HelmOptions,
    common: Common,
    *,
    token_lifetime: Days = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> int:
    """Give the operator a new key, and revoke the old one once the new one is in use.

    For platforms without workload identity, where the operator signs in with a key
    of an Anyscale service account. The cloud works all the while. If it is cut off,
    run it again.
    """
    from anyscale_k8s_cli.cli import prompts, settings
    from anyscale_k8s_cli.cli.cloud.choice import chosen
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.plan import show_plan
    from anyscale_k8s_cli.cli.render.rotation import show_rotation

    with Session(common, schema=SCHEMA) as session:
        prompts.require_approval(given=yes or dry_run, what="Rotation")
        name, cloud_id = chosen(which, session)
        from anyscale_k8s_cli.operations import rotation as operation
        from anyscale_k8s_cli.operations.requests import HelmChoice, RotateRequest

        request = RotateRequest(
            environment=session.environment,
            name=name,
            cloud_id=cloud_id,
            flags=settings.from_options(where),
            days=token_lifetime,
            helm=HelmChoice(helm.helm, helm.helm_from_index),
        )
        found = session.execute(lambda run: operation.find(request, run))
        document = found.as_json()
        if dry_run or document.get("error"):
            return session.finish(document, session.showing(show_plan, found.header))
        session.narrate(document, session.showing(show_plan, found.header))
        if not yes:
            session.off_the_clock(lambda: prompts.confirm("Replace the operator's key?"))
        report = session.execute(lambda run: operation.apply(found, run))
        return session.finish(report.as_json(), session.showing(show_rotation, found.header))
