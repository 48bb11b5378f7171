"""`cloud setup`: make a Kubernetes cluster an Anyscale cloud."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from anyscale_k8s_cli.cli.options import Common, DryRun, HelmOptions, Yes
from anyscale_k8s_cli.cli.program import instead
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.spec_options import SetupOptions, SpecOptions
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/setup/v1"

app, register = command(
    examples="""
    anyscale cloud setup --provider eks --region us-west-2 --cluster-name demo --name prod
    anyscale cloud setup -f cloud.yaml --yes -o json
    anyscale cloud setup --plan prod.plan
    anyscale cloud setup -f cloud.yaml --probe
    """
)

SavedPlan = Annotated[
    Path | None,
    typer.Option(
        "--plan",
        metavar="FILE",
        rich_help_panel="Which cloud",
        help="Do what a saved plan says and is still to be done, and nothing else; what is there "
        "meanwhile is told and used.",
    ),
]


@register
@spread
def setup(
    spec: SpecOptions,
    more: SetupOptions,
    helm: HelmOptions,
    common: Common,
    *,
    plan: SavedPlan = None,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> int:
    """Make a Kubernetes cluster an Anyscale cloud: storage, identity, network, operator.

    Shows the plan, asks, does it, and waits until Anyscale reports the cloud
    healthy. Running it again changes only what is not as it should be.
    """
    from anyscale_k8s_cli.cli import prompts
    from anyscale_k8s_cli.cli.cloud.request import setup_request
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.plan import changes, show_plan
    from anyscale_k8s_cli.cli.render.setup import show_setup
    from anyscale_k8s_cli.cli.render.style import counted

    with Session(common, schema=SCHEMA, starts_sandbox=True) as session:
        # What is said wrong comes first: with a yes it would be no better.
        request = setup_request(spec, more, helm, session, may_ask=not yes, saved_plan=plan)
        prompts.require_approval(given=yes or dry_run, what="Setup")
        from anyscale_k8s_cli.operations import planning
        from anyscale_k8s_cli.operations import setup as operation

        made = session.execute(lambda run: planning.plan(request, run))
        document = {**made.as_json(), "schema": SCHEMA}
        if dry_run or document.get("error"):
            header = {**made.header, "next": instead("setup", sys.argv[1:], without=("--dry-run",))}
            return session.finish(document, session.showing(show_plan, header))
        session.narrate(document, session.showing(show_plan, made.header))
        pending = counted(changes(document["summary"]), "change")
        if not yes and changes(document["summary"]):
            session.off_the_clock(lambda: prompts.confirm(f"Make {pending}?"))
        report = session.execute(lambda run: operation.apply(made, run))
        return session.finish(report.as_json(), session.showing(show_setup, report.header))
