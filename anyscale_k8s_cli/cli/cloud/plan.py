"""`cloud plan`: show what setup would do."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from anyscale_k8s_cli.cli.options import Common, HelmOptions, new_file
from anyscale_k8s_cli.cli.program import instead
from anyscale_k8s_cli.cli.settings import typed
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.spec_options import SetupOptions, SpecOptions
from anyscale_k8s_cli.cli.tree import OUTPUT, command

SCHEMA = "anyscale-k8s/plan/v1"

app, register = command(
    examples="""
    anyscale cloud plan --provider eks --region us-west-2 --cluster-name demo --name prod
    anyscale cloud plan -f cloud.yaml --out prod.plan
    """
)

Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        rich_help_panel=OUTPUT,
        callback=new_file,
        help="Save the plan; `cloud setup --plan FILE` does it.",
    ),
]
_VALUES_LATER = (
    "--values-file: some of the operator's values are known only after setup, which writes it"
)
TellsChanges = Annotated[
    bool,
    typer.Option(
        "--exit-code",
        rich_help_panel=OUTPUT,
        help="End with exit code 7 if there is anything to change.",
    ),
]


def following(saved: Path | None, more: SetupOptions, helm: HelmOptions) -> str:
    """The command that makes the plan true: a saved plan holds the spec, and nothing else."""
    if saved is not None:
        # That a plan may replace a file is said; of no other file has anybody spoken.
        spoken = () if more.values_file else ("overwrite",)
        words = [*typed(more, without=("file", "stack", *spoken)), *typed(helm)]
        return shlex.join(["anyscale", "cloud", "setup", "--plan", str(saved), *words])
    return instead("setup", sys.argv[1:], without=("--exit-code",))


@register
@spread
def plan(
    spec: SpecOptions,
    more: SetupOptions,
    helm: HelmOptions,
    common: Common,
    *,
    out: Out = None,
    exit_code: TellsChanges = False,
) -> int:
    """Show what setup would create, change and leave alone, and why.

    It only reads: nothing is changed anywhere.
    """
    from anyscale_k8s_cli.cli.cloud.request import setup_request
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.plan import changes, show_plan
    from anyscale_k8s_cli.errors import ExitCode

    with Session(common, schema=SCHEMA, starts_sandbox=True) as session:
        request = setup_request(spec, more, helm, session, may_ask=True)
        from anyscale_k8s_cli.events import Notice
        from anyscale_k8s_cli.operations import planning

        made = session.execute(lambda run: planning.plan(request, run))
        if out is not None:
            made.save(out)
        if not made.write_values():
            session.run.emit(Notice(level="warning", text=_VALUES_LATER))
        document = made.as_json()
        pending = exit_code and changes(document["summary"])
        return session.finish(
            document,
            session.showing(show_plan, {**made.header, "next": following(out, more, helm)}),
            code=int(ExitCode.CHANGES_PENDING) if pending else 0,
        )
