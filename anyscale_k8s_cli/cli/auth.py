"""`logout`, and `auth`: who this machine is logged in as."""

from anyscale_k8s_cli.cli.options import Common
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import Branch, Entry, command, group

logout_app, register_logout = command(examples="anyscale logout")
show_app, register_show = command(
    examples="""
    anyscale auth show
    anyscale auth show -o json
    """
)
fix_app, register_fix = command(examples="anyscale auth fix")


class AuthCommands(Branch):
    table = {  # noqa: RUF012 - the base says that it belongs to the class
        "show": Entry("anyscale_k8s_cli.cli.auth:show_app", "Show who you are logged in as."),
        "fix": Entry("anyscale_k8s_cli.cli.auth:fix_app", "Close the token's file to others."),
    }


app = group(
    AuthCommands,
    name="auth",
    summary="Show or repair who you are logged in as.",
    examples="anyscale auth show",
)


@register_logout
@spread
def logout(common: Common) -> int:
    """Forget the token that is stored on this machine."""
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.account import show_logout

    with Session(common, schema="anyscale-k8s/logout/v1") as session:
        from anyscale_k8s_cli.operations import account
        from anyscale_k8s_cli.operations.requests import Request

        report = account.log_out(Request(environment=session.environment))
        return session.finish(report, show_logout)


@register_show
@spread
def show(common: Common) -> int:
    """Show who you are to Anyscale, where the token comes from, and that it works."""
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.account import show_login

    with Session(common, schema="anyscale-k8s/auth-show/v1") as session:
        from anyscale_k8s_cli.operations import account
        from anyscale_k8s_cli.operations.requests import Request

        request = Request(environment=session.environment)
        report = session.execute(lambda run: account.who(request, run))
        return session.finish(report.as_json(), show_login)


@register_fix
@spread
def fix(common: Common) -> int:
    """Let nobody but you read the file with the token."""
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.account import show_fixed

    with Session(common, schema="anyscale-k8s/auth-fix/v1") as session:
        from anyscale_k8s_cli.operations import account
        from anyscale_k8s_cli.operations.requests import Request

        report = account.fix(Request(environment=session.environment))
        return session.finish(report, show_fixed)
