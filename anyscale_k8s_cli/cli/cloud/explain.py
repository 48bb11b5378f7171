"""`cloud explain`: why an object exists, who uses it, and what breaks without it."""

from typing import Annotated

import typer

from anyscale_k8s_cli.cli.options import CloudId, CloudName, Common, HelmOptions, WhichCloud
from anyscale_k8s_cli.cli.place_options import SearchOptions
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/explain/v1"

app, register = command(
    examples="""
    anyscale cloud explain iam-role --name prod
    anyscale cloud explain helm:release/anyscale-operator/anyscale-operator --name prod
    anyscale cloud explain --provider eks
    anyscale cloud explain s3-bucket --provider eks -o json
    """
)

Key = Annotated[
    str | None,
    typer.Argument(
        metavar="KEY",
        help="The object's key, as plan and setup print it with -v; its beginning or its kind "
        "will do where only one is meant. All of them if not given, or if it is the cloud's name.",
    ),
]


@register
@spread
def explain(
    where: SearchOptions,
    helm: HelmOptions,
    common: Common,
    *,
    key: Key = None,
    name: CloudName = None,
    cloud_id: CloudId = None,
) -> int:
    """Tell why an object exists, who uses it, what breaks without it, and when it is deleted.

    Of a cloud it also tells whether the object is there, whose it is, what it needs
    and what needs it. With --provider and no cloud nobody is asked, and it tells what
    there can be on that platform.
    """
    from anyscale_k8s_cli.cli import settings
    from anyscale_k8s_cli.cli.cloud.choice import chosen
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.explain import show_explanation

    with Session(common, schema=SCHEMA) as session:
        from anyscale_k8s_cli.operations import explain as operation
        from anyscale_k8s_cli.operations.requests import ExplainRequest, HelmChoice

        if where.provider and not (name or cloud_id):
            told = operation.offline(where.provider, key, session.run)
            return session.finish(told.as_json(), show_explanation)
        name, cloud_id = chosen(WhichCloud(name=name, cloud_id=cloud_id), session)
        request = ExplainRequest(
            environment=session.environment,
            name=name,
            cloud_id=cloud_id,
            flags=settings.from_options(where),
            key=key,
            helm=HelmChoice(helm.helm, helm.helm_from_index),
        )
        told = session.execute(lambda run: operation.live(request, run))
        return session.finish(told.as_json(), show_explanation)
