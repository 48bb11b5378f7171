"""`--world`: what is in a sandbox that starts, by the name of a ready world or by a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

if TYPE_CHECKING:
    from anyscale_k8s_cli.sandbox.world import World


def _complete(incomplete: str) -> list[str]:
    from anyscale_k8s_cli.sandbox import worlds

    return [name for name in worlds.names() if name.startswith(incomplete)]


WorldOption = Annotated[
    str | None,
    typer.Option(
        "--world",
        metavar="NAME|FILE",
        help="What is in it: a ready one (`anyscale sandbox worlds`), or a file of your own.",
        autocompletion=_complete,
    ),
]


class Chosen(NamedTuple):
    """A world, and what it is called from now on; nothing for the ordinary one."""

    world: World | None = None
    named: str = ""


def chosen(given: str | None) -> Chosen:
    """Raises `invalid-spec`."""
    if given is None:
        return Chosen()
    from anyscale_k8s_cli.sandbox import worlds

    named = given if given in worlds.names() else str(Path(given).absolute())
    return Chosen(worlds.read(given), named)
