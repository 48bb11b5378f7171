"""`cloud list`: the clouds that you can see."""

from anyscale_k8s_cli.cli.options import CloudArgument, CloudName, Common
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/list/v1"

app, register = command(
    examples="""
    anyscale cloud list
    anyscale cloud list prod -o json
    """
)


@register
@spread
def list_clouds(common: Common, cloud: CloudArgument = None, name: CloudName = None) -> int:
    """List your clouds, or those of one name."""
    from anyscale_k8s_cli.cli.cloud.choice import only_name
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.clouds import show_list

    with Session(common, schema=SCHEMA) as session:
        wanted = only_name(cloud, name)
        from anyscale_k8s_cli.operations import clouds
        from anyscale_k8s_cli.operations.requests import ListRequest

        request = ListRequest(environment=session.environment, name=wanted)
        found = session.execute(lambda run: clouds.list_clouds(request, run))
        return session.finish(found.as_json(), show_list)
