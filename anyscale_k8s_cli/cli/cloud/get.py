"""`cloud get`: one cloud with its clusters, or the file that says how it was set up."""

from typing import Annotated

import typer

from anyscale_k8s_cli.cli.options import Common, WhichCloud
from anyscale_k8s_cli.cli.place_options import SearchOptions
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import OUTPUT, command

SCHEMA = "anyscale-k8s/get/v1"

app, register = command(
    examples="""
    anyscale cloud get prod
    anyscale cloud get --cloud-id cld_1a2b3c -o yaml
    anyscale cloud get prod --as-spec > cloud.yaml
    """
)

AsSpec = Annotated[
    bool,
    typer.Option(
        "--as-spec",
        rich_help_panel=OUTPUT,
        help="Print the cloud.yaml that its last setup was told, as its cluster has kept it.",
    ),
]


@register
@spread
def get(which: WhichCloud, where: SearchOptions, common: Common, *, as_spec: AsSpec = False) -> int:
    """Show one cloud as Anyscale has it, with every cluster registered in it.

    Where its cluster is, is needed with --as-spec alone.
    """
    from anyscale_k8s_cli.cli import settings
    from anyscale_k8s_cli.cli.cloud.choice import chosen
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.clouds import show_cloud, show_spec

    with Session(common, schema=SCHEMA) as session:
        name, cloud_id = chosen(which, session)
        if as_spec:
            from anyscale_k8s_cli.operations import as_spec as specs
            from anyscale_k8s_cli.operations.requests import StatusRequest

            asked = StatusRequest(
                environment=session.environment,
                name=name,
                cloud_id=cloud_id,
                flags=settings.from_options(where),
            )
            spec = session.execute(lambda run: specs.as_spec(asked, run))
            return session.finish(spec.as_json(), show_spec)
        from anyscale_k8s_cli.operations import clouds
        from anyscale_k8s_cli.operations.requests import GetRequest

        request = GetRequest(environment=session.environment, name=name, cloud_id=cloud_id)
        found = session.execute(lambda run: clouds.get_cloud(request, run))
        return session.finish(found.as_json(), show_cloud)
