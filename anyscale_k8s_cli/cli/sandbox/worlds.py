"""`sandbox worlds`: the worlds that are ready."""

from anyscale_k8s_cli.cli.options import Common
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/sandbox-worlds/v1"

app, register = command(
    examples="""
    anyscale sandbox worlds
    anyscale sandbox worlds -o json
    anyscale sandbox up --world eks-old-kubernetes
    """
)


@register
@spread
def worlds(common: Common) -> int:
    """List the worlds that are ready: what each is about, and how a setup there ends."""
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.sandbox import show_worlds
    from anyscale_k8s_cli.cli.sandbox import attachment

    with Session(common, schema=SCHEMA) as session:
        with attachment.needing_packages():
            from anyscale_k8s_cli.sandbox import worlds as all_of_them

            found = [
                {
                    "name": name,
                    "platforms": list(world.platforms),
                    "about": world.about,
                    "setup": world.setup,
                    "ends": world.ends,
                }
                for name, world in all_of_them.ready()
            ]
        return session.finish({"schema": SCHEMA, "worlds": found}, show_worlds)
