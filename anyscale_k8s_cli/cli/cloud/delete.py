"""`cloud delete`: remove a cloud and all that was made for it."""

from typing import Annotated

import typer

from anyscale_k8s_cli.cli.options import Common, DryRun, HelmOptions, WhichCloud, Yes
from anyscale_k8s_cli.cli.place_options import SearchOptions
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/delete/v1"
_WHAT = "What may change"

app, register = command(
    examples="""
    anyscale cloud delete prod --dry-run
    anyscale cloud delete prod
    anyscale cloud delete prod --delete-bucket anyscale-prod-1f3a9c2e --yes
    """
)

DeleteBucket = Annotated[
    str | None,
    typer.Option(
        "--delete-bucket",
        metavar="NAME",
        rich_help_panel=_WHAT,
        help="Delete this bucket of the cloud too, with all its data. Else it is kept.",
    ),
]
IgnoreNotFound = Annotated[
    bool,
    typer.Option(
        "--ignore-not-found", rich_help_panel=_WHAT, help="Nothing to delete is a success."
    ),
]
IgnoreWorkloads = Annotated[
    bool,
    typer.Option(
        "--ignore-active-workloads",
        "--force",
        rich_help_panel=_WHAT,
        help="Go on although workloads are running; they are lost.",
    ),
]


SkipCluster = Annotated[
    bool,
    typer.Option(
        "--skip-cluster",
        rich_help_panel=_WHAT,
        help="Leave the cluster alone, where it is lost or cannot be reached; delete the rest.",
    ),
]


@register
@spread
def delete(
    which: WhichCloud,
    where: SearchOptions,
    helm: HelmOptions,
    common: Common,
    *,
    delete_bucket: DeleteBucket = None,
    ignore_not_found: IgnoreNotFound = False,
    ignore_active_workloads: IgnoreWorkloads = False,
    skip_cluster: SkipCluster = False,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> int:
    """Remove a cloud and all that was made for it, and prove that it is gone.

    Shows what it found and asks. What you brought yourself stays, and so does
    the bucket with your data unless you name it.
    """
    from anyscale_k8s_cli.cli import prompts, settings
    from anyscale_k8s_cli.cli.cloud.choice import chosen
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.delete import show_deleted, show_teardown
    from anyscale_k8s_cli.cli.render.style import counted

    with Session(common, schema=SCHEMA) as session:
        prompts.require_approval(given=yes or dry_run, what="Delete")
        name, cloud_id = chosen(which, session)
        from anyscale_k8s_cli.operations import survey, teardown
        from anyscale_k8s_cli.operations.requests import DeleteRequest, HelmChoice

        request = DeleteRequest(
            environment=session.environment,
            name=name,
            cloud_id=cloud_id,
            flags=settings.from_options(where),
            delete_bucket=delete_bucket,
            ignore_not_found=ignore_not_found,
            ignore_active_workloads=ignore_active_workloads,
            skip_cluster=skip_cluster,
            helm=HelmChoice(helm.helm, helm.helm_from_index),
        )
        found = session.execute(lambda run: survey.find(request, run))
        document = found.as_json()
        if dry_run or document.get("error"):
            return session.finish(document, session.showing(show_teardown, found.header))
        if document["remove"]:  # else the result alone says all there is to say
            session.narrate(document, session.showing(show_teardown, found.header))
        if not yes and document["remove"]:
            number = counted(len(document["remove"]), "object")
            session.off_the_clock(lambda: prompts.confirm(f"Remove {number} for good?"))
        report = session.execute(lambda run: teardown.apply(found, run))
        return session.finish(report.as_json(), session.showing(show_deleted, found.header))
