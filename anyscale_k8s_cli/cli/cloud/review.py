"""`cloud review`: one page for those who answer for security."""

from anyscale_k8s_cli.cli.options import Common, WhichCloud
from anyscale_k8s_cli.cli.place_options import SearchOptions
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/review/v1"

app, register = command(
    examples="""
    anyscale cloud review prod
    anyscale cloud review prod -o json > review.json
    """
)


@register
@spread
def review(which: WhichCloud, where: SearchOptions, common: Common) -> int:
    """List every role, right, secret, port, host and image of a cloud, for a security review.

    It only reads, and no secret's value. Before there is a cloud, `cloud permissions` and
    docs/permissions.md tell what would be made, and with which rights.
    """
    from anyscale_k8s_cli.cli import settings
    from anyscale_k8s_cli.cli.cloud.choice import chosen
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.review import show_review

    with Session(common, schema=SCHEMA) as session:
        name, cloud_id = chosen(which, session)
        from anyscale_k8s_cli.operations import review as operation
        from anyscale_k8s_cli.operations.requests import StatusRequest

        request = StatusRequest(
            environment=session.environment,
            name=name,
            cloud_id=cloud_id,
            flags=settings.from_options(where),
        )

        def look() -> dict[str, object]:
            return session.execute(lambda run: operation.review(request, run)).as_json()

        return session.finish(look(), show_review)
