"""`doctor`: check this machine."""

from typing import Annotated

from anyscale_k8s_cli.cli.options import HelmOptions, ReportCommon, only_checks, without_checks
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/doctor/v1"
Waive = Annotated[list[str] | None, without_checks("doctor")]
Only = Annotated[list[str] | None, only_checks("doctor")]

app, register = command(
    examples="""
    anyscale doctor
    anyscale doctor --only machine-proxy --only machine-certificates
    anyscale doctor -o json
    """
)


@register
@spread
def doctor(
    helm: HelmOptions, common: ReportCommon, *, waive: Waive = None, only: Only = None
) -> int:
    """Check what this machine brings: names, terminal, proxy, certificates, clock, logins, helm.

    It changes nothing. The exit code is 6 if a check fails.
    """
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.program import program
    from anyscale_k8s_cli.cli.render.verify import show_doctor
    from anyscale_k8s_cli.errors import ExitCode

    with Session(common, schema=SCHEMA) as session:
        from anyscale_k8s_cli.operations import doctor as operation
        from anyscale_k8s_cli.operations.requests import DoctorRequest, HelmChoice

        request = DoctorRequest(
            environment=session.environment,
            program=program(),
            waived=tuple(waive or ()),
            only=tuple(only or ()),
            helm=HelmChoice(helm.helm, helm.helm_from_index),
        )
        report = session.execute(lambda run: operation.doctor(request, run))
        return session.finish(
            report.as_json(),
            lambda shown, console: show_doctor(shown, console, verbose=common.verbose),
            code=int(ExitCode.CHECKS_FAILED) if report.failed else 0,
        )
