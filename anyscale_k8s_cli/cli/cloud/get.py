"""`cloud get`: one cloud with its clusters."""

from anyscale_k8s_cli.cli.options import Common, WhichCloud
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/get/v1"

app, register = command(
    examples="""
    anyscale cloud get prod
    anyscale cloud get --cloud-id cld_1a2b3c -o yaml
    """
)


@register
@spread
def get(which: WhichCloud, common: Common) -> int:
    """Show one cloud as Anyscale has it, with every cluster registered in it."""
    from anyscale_k8s_cli.cli.cloud.choice import chosen
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.clouds import show_cloud

    with Session(common, schema=SCHEMA) as session:
        from anyscale_k8s_cli.operations import clouds
        from anyscale_k8s_cli.operations.requests import GetRequest

        name, cloud_id = chosen(which, session)
        request = GetRequest(environment=session.environment, name=name, cloud_id=cloud_id)
        found = session.execute(lambda run: clouds.get_cloud(request, run))
        return session.finish(found.as_json(), show_cloud)
