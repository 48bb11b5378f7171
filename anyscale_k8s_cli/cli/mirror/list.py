"""`mirror list`: every chart and image that a setup causes, to copy them."""

from pathlib import Path
from typing import Annotated

import typer

from anyscale_k8s_cli.cli.options import Common, HelmOptions
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.spec_options import SpecOptions
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/mirror/v1"

app, register = command(
    examples="""
    anyscale mirror list -f cloud.yaml --image-registry registry.example/mirror --fetch
    anyscale mirror list -f cloud.yaml -o json > anyscale.json
    jq -r '.charts[].command' anyscale.json | sh -ex
    jq -r '.images[]|select(.target)|.image,.target' anyscale.json | xargs -n2 crane copy
    """
)

SpecFile = Annotated[
    Path | None,
    typer.Option(
        "--file", "-f", metavar="FILE", help="A cloud.yaml that says what is to be set up."
    ),
]
Fetch = Annotated[
    bool,
    typer.Option(
        "--fetch",
        help="Fetch the charts that are not on this machine; else nobody is asked for anything.",
    ),
]


@register
@spread
def list_supplies(
    spec: SpecOptions,
    helm: HelmOptions,
    common: Common,
    *,
    file: SpecFile = None,
    fetch: Fetch = False,
) -> int:
    """List every chart and image that a setup causes, for a registry of your own.

    No cloud, no cluster and no Anyscale is asked. Images are told by rendering the charts
    with what is said here or in the file; a chart must be on this machine for that, or in
    your mirror (--chart-mirror). With --image-registry each image has the name that it must
    have there, which is what pods will ask for.
    """
    from anyscale_k8s_cli.cli import settings
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.mirror import show_supplies

    with Session(common, schema=SCHEMA) as session:
        from anyscale_k8s_cli.operations.mirror import supplies
        from anyscale_k8s_cli.operations.requests import HelmChoice, MirrorRequest

        request = MirrorRequest(
            environment=session.environment,
            flags=settings.from_options(spec),
            file=file,
            fetch=fetch,
            helm=HelmChoice(helm.helm, helm.helm_from_index),
        )
        found = session.execute(lambda run: supplies(request, run))
        return session.finish(found.as_json(), show_supplies)
