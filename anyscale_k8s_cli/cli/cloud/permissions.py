"""`cloud permissions`: the least rights that the tool needs, offline."""

from typing import Annotated, Literal

import typer

from anyscale_k8s_cli.cli.options import Common
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/permissions/v1"

app, register = command(
    examples="""
    anyscale cloud permissions --provider eks
    anyscale cloud permissions --provider eks --verb delete > policy.json
    anyscale cloud permissions --provider eks --scope cluster | kubectl apply -f -
    """
)

Platform = Annotated[
    str,
    typer.Option("--provider", metavar="NAME", help="The platform, such as eks. Must be given."),
]
For = Annotated[
    Literal["plan", "setup", "register", "verify", "delete"],
    typer.Option(
        "--verb",
        metavar="plan|setup|register|verify|delete",
        help="What is to be done with these rights; setup if not given.",
    ),
]
Where = Annotated[
    Literal["cloud", "cluster"] | None,
    typer.Option(
        "--scope",
        metavar="cloud|cluster",
        help="Rights in the cloud account or in the cluster; if not given the cloud's, where "
        "the platform has any.",
    ),
]


How = Annotated[
    Literal["gateway", "nginx", "none"],
    typer.Option(
        "--network",
        metavar="gateway|nginx|none",
        help="How users come in: with nginx the cluster's rights are some more.",
    ),
]


@register
@spread
def permissions(
    common: Common,
    *,
    provider: Platform,
    verb: For = "setup",
    scope: Where = None,
    network: How = "gateway",
) -> int:
    """Print the least rights for a command, in the platform's own form. Asks nobody."""
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.permissions import show_permissions

    with Session(common, schema=SCHEMA) as session:
        from anyscale_k8s_cli.operations.permissions import in_cloud, in_cluster
        from anyscale_k8s_cli.provider import Verb

        # A name that nobody knows is refused for the cluster's rights, too.
        documents = in_cloud(provider, Verb(verb), session.run)
        if scope == "cluster" or (scope is None and not documents):
            documents = in_cluster(Verb(verb), network)
        result = {
            "schema": SCHEMA,
            "provider": provider,
            "verb": verb,
            "documents": [vars(document) for document in documents],
        }
        return session.finish(result, show_permissions)
