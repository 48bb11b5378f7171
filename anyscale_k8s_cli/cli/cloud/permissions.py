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
    """
)

Platform = Annotated[
    str,
    typer.Option("--provider", metavar="NAME", help="The platform, such as eks. Must be given."),
]
For = Annotated[
    Literal["plan", "setup", "delete"],
    typer.Option(
        "--verb",
        metavar="plan|setup|delete",
        help="What is to be done with these rights; setup if not given.",
    ),
]


@register
@spread
def permissions(common: Common, *, provider: Platform, verb: For = "setup") -> int:
    """Print the least rights for a command, in the platform's own form. Asks nobody."""
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.permissions import show_permissions

    with Session(common, schema=SCHEMA) as session:
        from anyscale_k8s_cli.provider import Verb, load

        documents = load(provider, session.run).permissions(Verb(verb))
        result = {
            "schema": SCHEMA,
            "provider": provider,
            "verb": verb,
            "documents": [vars(document) for document in documents],
        }
        return session.finish(result, show_permissions)
