"""`sandbox break` and `sandbox mend`: what goes wrong behind the tool's back, to be tried out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeAlias

import typer

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cli.options import Common
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import command

break_app, register_break = command(
    examples="""
    anyscale sandbox break role-trust
    anyscale sandbox break bucket --platform gke
    """
)
mend_app, register_mend = command(
    examples="""
    anyscale sandbox mend load-balancer
    anyscale sandbox mend workload-identity --platform aks
    """
)

Wire = Annotated[
    str, typer.Argument(metavar="NAME", help="Which wire; a wrong name lists those there are.")
]
Platform = Annotated[
    str | None,
    typer.Option("--platform", metavar="NAME", help="Only on this one; on all if not given."),
]
_HELP = {"break": "anyscale sandbox break --help", "mend": "anyscale sandbox mend --help"}
# What the admin interface does of a name, on one platform or on all.
_Switch: TypeAlias = "Callable[..., list[str]]"


@register_break
@spread
def break_(common: Common, name: Wire, platform: Platform = None) -> int:
    """Break a wire of what is set up, as it happens in life: see what status says of it.

    `anyscale cloud setup` mends most of it; for the rest there is `sandbox mend`.
    """
    return _switch(common, "break", name, platform)


@register_mend
@spread
def mend(common: Common, name: Wire, platform: Platform = None) -> int:
    """Put right what only others than this tool could."""
    return _switch(common, "mend", name, platform)


def _switch(common: Common, verb: str, name: str, platform: str | None) -> int:
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.sandbox import show_switched
    from anyscale_k8s_cli.cli.sandbox import attachment

    schema = f"anyscale-k8s/sandbox-{verb}/v1"
    with Session(common, schema=schema) as session:
        admin = attachment.running().admin
        from anyscale_k8s_cli.sandbox.client import AdminRefused

        switch: _Switch = admin.break_ if verb == "break" else admin.mend
        try:
            changed = switch(name, platform=platform)
        except AdminRefused as refused:
            raise errors.CliError(
                errors.USAGE,
                f"sandbox {verb} {name}: {refused.reason}",
                fix=_HELP[verb],
            ) from refused
        document = {"schema": schema, "name": name, "platform": platform, "changed": changed}
        return session.finish(document, show_switched)
