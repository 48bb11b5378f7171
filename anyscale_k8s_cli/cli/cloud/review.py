"""`cloud review`: one page of all that a cloud has and may, for those who must agree to it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from anyscale_k8s_cli.cli.options import CloudArgument, CloudId, PageCommon, WhichCloud
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.spec_options import SpecOptions
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/review/v1"

app, register = command(
    examples="""
    anyscale cloud review prod
    anyscale cloud review prod -o markdown > review.md
    anyscale cloud review --provider eks --name prod --expose internal
    anyscale cloud review -f cloud.yaml -o markdown > review.md
    """
)

SpecFile = Annotated[
    Path | None,
    typer.Option(
        "--file",
        "-f",
        metavar="FILE",
        help="A cloud.yaml, of which it tells what a setup would make.",
    ),
]


@register
@spread
def review(
    spec: SpecOptions,
    common: PageCommon,
    *,
    cloud: CloudArgument = None,
    cloud_id: CloudId = None,
    file: SpecFile = None,
) -> int:
    """Tell on one page what a cloud has and may: for the ticket of whoever must agree to it.

    Identities with whom they trust and what they may, word for word; rights in the
    cluster; names of Secrets and never what is in them; ways in and out, images, where
    data is, and what whoever sets up must be granted. NAME is a cloud that is there, and
    is only looked at. With --provider and --name, or a file, it tells what a setup would
    make, and asks nobody.
    """
    from anyscale_k8s_cli import errors
    from anyscale_k8s_cli.cli import settings
    from anyscale_k8s_cli.cli.cloud.choice import chosen
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.review import show_review

    with Session(common, schema=SCHEMA) as session:
        said = settings.from_options(spec)
        if file and (cloud or cloud_id):
            raise errors.CliError(
                errors.USAGE,
                "A cloud that is there and --file go apart",
                cause="of a file it is told what a setup would make",
                fix="leave one of them out",
            )
        if file or (spec.provider and not (cloud or cloud_id)):
            from anyscale_k8s_cli.operations.review.beforehand import beforehand

            page = beforehand(said, file, session.environment, session.run)
            return session.finish(page.as_json(), show_review)
        name, cloud_id = chosen(WhichCloud(cloud, spec.name, cloud_id), session)
        from anyscale_k8s_cli.operations.requests import StatusRequest
        from anyscale_k8s_cli.operations.review.live import live

        request = StatusRequest(
            environment=session.environment, name=name, cloud_id=cloud_id, flags=_places(said)
        )
        page = session.execute(lambda run: live(request, run))
        return session.finish(page.as_json(), show_review)


def _places(said: dict[str, Any]) -> dict[str, Any]:
    """What says where a cloud is. Raises `usage` for what says how one is to be."""
    from anyscale_k8s_cli import errors
    from anyscale_k8s_cli.spec import Scope, flags_by_path

    found = {path: value for path, value in said.items() if path != "name"}
    strange = [path for path in found if path.partition(".")[0] not in Scope.model_fields]
    if strange:
        raise errors.CliError(
            errors.USAGE,
            f"{flags_by_path()[strange[0]]} says how a cloud is to be, and this one is there",
            cause="it is told as it is",
            fix="leave it out; or give --provider and --name, for what a setup would make",
        )
    return found
