"""`login`: get a token for this machine by confirming in a browser."""

from typing import Annotated

import typer

from anyscale_k8s_cli.cli.options import Common
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/login/v1"

app, register = command(
    examples="""
    anyscale login
    anyscale login --no-browser --expire-in-days 1
    """
)

NoBrowser = Annotated[
    bool, typer.Option("--no-browser", help="Only show the address; open nothing.")
]
Days = Annotated[
    int,
    typer.Option(
        "--expire-in-days",
        metavar="DAYS",
        min=1,
        show_default=False,
        help="How long the token lasts; 7 days if not given.",
    ),
]
NoExpiry = Annotated[bool, typer.Option("--no-expire", help="Ask for a token without an end.")]


@register
@spread
def login(
    common: Common,
    no_browser: NoBrowser = False,
    expire_in_days: Days = 7,
    no_expire: NoExpiry = False,
) -> int:
    """Log in to Anyscale: open the address shown, confirm, and the token is stored.

    The token is kept where Anyscale's own client keeps it, so one login serves both.
    """
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.account import address_shower, show_login

    with Session(common, schema=SCHEMA) as session:
        from anyscale_k8s_cli.controlplane.login import DAY, NEVER
        from anyscale_k8s_cli.operations import account
        from anyscale_k8s_cli.operations.requests import Request

        request = Request(environment=session.environment)
        lifetime = NEVER if no_expire else expire_in_days * DAY
        show = address_shower(open_browser=not no_browser)
        report = session.execute(lambda run: account.log_in(request, run, show, lifetime))
        return session.finish(report.as_json(), show_login)
