"""`sandbox`: everything against stand-ins on this machine, nothing real touched."""

from __future__ import annotations

from anyscale_k8s_cli.cli.tree import Branch, Entry, group

_PACKAGE = "anyscale_k8s_cli.cli.sandbox"


class SandboxCommands(Branch):
    vendors = False
    table = {  # noqa: RUF012 - the base says that it belongs to the class
        "up": Entry(f"{_PACKAGE}.up", "Start a sandbox in the background."),
        "worlds": Entry(f"{_PACKAGE}.worlds", "List what kinds of it there are ready."),
        "status": Entry(f"{_PACKAGE}.status", "Tell whether one is running."),
        "run": Entry(f"{_PACKAGE}.run", "Run a command in a sandbox of its own."),
        "env": Entry(f"{_PACKAGE}.env", "Print what points your shell at it."),
        "break": Entry(f"{_PACKAGE}.breaks:break_app", "Break something, to see what is said."),
        "mend": Entry(f"{_PACKAGE}.breaks:mend_app", "Put right what only others could."),
        "down": Entry(f"{_PACKAGE}.down", "Stop it and forget all that was in it."),
    }


app = group(
    SandboxCommands,
    name="sandbox",
    summary="Try everything out against stand-ins on this machine; nothing real is touched.",
    examples="""
    anyscale sandbox up
    anyscale cloud setup --sandbox --provider eks --cluster-name demo --name try --yes
    anyscale sandbox down
    """,
)
