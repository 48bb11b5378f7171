"""`mirror`: what a registry of one's own must hold."""

from __future__ import annotations

from anyscale_k8s_cli.cli.tree import Branch, Entry, group


class MirrorCommands(Branch):
    vendors = False
    table = {  # noqa: RUF012 - the base says that it belongs to the class
        "list": Entry("anyscale_k8s_cli.cli.mirror.list", "List every chart and image of a setup."),
    }


app = group(
    MirrorCommands,
    name="mirror",
    summary="What a registry of your own must hold.",
    examples="""
    anyscale mirror list --provider eks
    """,
)
