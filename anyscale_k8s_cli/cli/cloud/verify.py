"""`cloud verify`: check all that a cloud depends on."""

from typing import Annotated

import typer

from anyscale_k8s_cli.cli.options import (
    HelmOptions,
    ProbeImage,
    ReportCommon,
    WhichCloud,
    only_checks,
    without_checks,
)
from anyscale_k8s_cli.cli.place_options import SearchOptions
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/verify/v1"

app, register = command(
    examples="""
    anyscale cloud verify prod
    anyscale cloud verify prod --waive gpu-labels --waive addon-versions
    anyscale cloud verify prod --only gateway-certificates -o json
    anyscale cloud verify prod --probe
    anyscale cloud verify prod --functional --gpu
    anyscale cloud verify prod -o junit > anyscale.xml
    """
)


Waive = Annotated[list[str] | None, without_checks("verify")]
Only = Annotated[list[str] | None, only_checks("verify")]
Probe = Annotated[
    bool,
    typer.Option(
        "--probe",
        show_default=False,
        rich_help_panel="What is tried",
        help="Also let a pod with the workloads' identity use the bucket and reach Anyscale: "
        "it is made for this and removed again.",
    ),
]
Functional = Annotated[
    bool,
    typer.Option(
        "--functional",
        show_default=False,
        rich_help_panel="What is tried",
        help="Also let a pod do some work as those of workloads do: as large as the smallest "
        "instance type, where the operator would place it, its result in the bucket. It is "
        "removed again.",
    ),
]
Gpu = Annotated[
    bool,
    typer.Option(
        "--gpu",
        show_default=False,
        rich_help_panel="What is tried",
        help="With --functional: also one pod for each kind of accelerator, which must see it.",
    ),
]
ScaleUp = Annotated[
    bool,
    typer.Option(
        "--scale-up",
        show_default=False,
        rich_help_panel="What is tried",
        help="With --gpu: also for those of pools that have no node, which an autoscaler then "
        "brings. That takes minutes, and costs what it costs.",
    ),
]


@register
@spread
def verify(
    which: WhichCloud,
    where: SearchOptions,
    helm: HelmOptions,
    common: ReportCommon,
    *,
    waive: Waive = None,
    only: Only = None,
    probe: Probe = False,
    functional: Functional = False,
    gpu: Gpu = False,
    scale_up: ScaleUp = False,
    probe_image: ProbeImage = None,
) -> int:
    """Check all that a cloud depends on, in the cluster, in the cloud account, at Anyscale.

    It asks nobody and changes nothing but one small object in the bucket, by which the
    control plane's access is proven, and what --probe and --functional make for a moment. The
    exit code is 6 if a check fails; a warning, and what cannot be known, is shown and fails
    nothing.
    """
    from anyscale_k8s_cli.cli import settings
    from anyscale_k8s_cli.cli.cloud.choice import chosen
    from anyscale_k8s_cli.cli.execution import Session
    from anyscale_k8s_cli.cli.render.verify import show_verify
    from anyscale_k8s_cli.errors import ExitCode

    with Session(common, schema=SCHEMA) as session:
        name, cloud_id = chosen(which, session)
        from anyscale_k8s_cli.operations import verify as operation
        from anyscale_k8s_cli.operations.requests import HelmChoice, VerifyRequest

        request = VerifyRequest(
            environment=session.environment,
            name=name,
            cloud_id=cloud_id,
            flags=settings.from_options(where),
            waived=tuple(waive or ()),
            only=tuple(only or ()),
            probe=probe,
            probe_image=probe_image,
            functional=functional,
            gpu=gpu,
            scale_up=scale_up,
            helm=HelmChoice(helm.helm, helm.helm_from_index),
        )
        report = session.execute(lambda run: operation.verify(request, run))
        return session.finish(
            report.as_json(),
            lambda shown, console: show_verify(shown, console, verbose=common.verbose),
            code=int(ExitCode.CHECKS_FAILED) if report.failed else 0,
        )
