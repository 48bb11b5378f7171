"""`cloud register`: make a cloud of what somebody has made by hand."""

from typing import Any

from anyscale_k8s_cli.cli.options import Common, DryRun, HelmOptions, Yes
from anyscale_k8s_cli.cli.register_options import (
    RegisterOptions,
    RegisterSpecOptions,
    VendorOptions,
)
from anyscale_k8s_cli.cli.signature import spread
from anyscale_k8s_cli.cli.tree import command

SCHEMA = "anyscale-k8s/register/v1"

app, register = command(
    examples="""
    anyscale cloud register --provider aws --region us-west-2 --cluster-name demo --name prod --cloud-storage-bucket-name data --anyscale-operator-iam-identity arn:aws:iam::123456789012:role/ray --values-file values.yaml --manifests-dir manifests
    anyscale cloud register -f cloud.yaml --install-operator --yes
    """  # noqa: E501 - folded where it is shown
)


@register
@spread
def register_cloud(
    spec: RegisterSpecOptions,
    more: RegisterOptions,
    vendors: VendorOptions,
    helm: HelmOptions,
    common: Common,
    *,
    yes: Yes = False,
    dry_run: DryRun = False,
) -> int:
    """Register a bucket, an identity, a gateway and more that you have made by hand.

    Looks at each without touching it, registers them with Anyscale, and prints the Helm
    values and manifests to install the operator with. Nothing is created in the cloud,
    and nothing that is yours is ever changed or deleted. No cluster need be named; then
    it says which checks were left out.
    """
    del vendors  # refused where they are given
    from anyscale_k8s_cli.cli import prompts
    from anyscale_k8s_cli.cli.cloud.request import register_request
    from anyscale_k8s_cli.cli.execution import Session

    with Session(common, schema=SCHEMA, starts_sandbox=True) as session:
        request = register_request(spec, more, helm, session)
        prompts.require_approval(given=yes or dry_run, what="Registering")
        work = _install if request.install_operator else _hand_over
        return work(request, session, yes=yes, dry_run=dry_run)


def _hand_over(request: Any, session: Any, *, yes: bool, dry_run: bool) -> int:
    """Register it; the person installs the rest."""
    from anyscale_k8s_cli.cli import prompts
    from anyscale_k8s_cli.cli.render.plan import changes
    from anyscale_k8s_cli.cli.render.register import show_intent, show_register
    from anyscale_k8s_cli.operations import register as operation

    made = session.execute(lambda run: operation.plan(request, run))
    document = made.as_json()
    if dry_run or document.get("error"):
        return int(session.finish(document, session.showing(show_intent, made.header)))
    session.narrate(document, session.showing(show_intent, made.header))
    if not yes and changes(document["summary"]):
        session.off_the_clock(lambda: prompts.confirm("Register this?"))
    report = session.execute(lambda run: operation.apply(made, run))
    return int(session.finish(report.as_json(), session.showing(show_register, report.header)))


def _install(request: Any, session: Any, *, yes: bool, dry_run: bool) -> int:
    """The same and all that is in the cluster, by the way that setup goes."""
    from anyscale_k8s_cli.cli import prompts
    from anyscale_k8s_cli.cli.render.plan import changes, show_plan
    from anyscale_k8s_cli.cli.render.setup import show_setup
    from anyscale_k8s_cli.cli.render.style import counted
    from anyscale_k8s_cli.operations import register as registering
    from anyscale_k8s_cli.operations import setup as operation

    made = session.execute(lambda run: registering.plan_with_operator(request, run))
    extra = {"schema": SCHEMA, "left_out": []}
    document = {**made.as_json(), **extra}
    if dry_run or document.get("error"):
        return int(session.finish(document, session.showing(show_plan, made.header)))
    session.narrate(document, session.showing(show_plan, made.header))
    pending = changes(document["summary"])
    if not yes and pending:
        question = f"Make {counted(pending, 'change')}?"
        session.off_the_clock(lambda: prompts.confirm(question))
    report = session.execute(lambda run: operation.apply(made, run))
    header = session.showing(show_setup, report.header)
    return int(session.finish({**report.as_json(), **extra}, header))
