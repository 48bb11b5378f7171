"""From what was typed to the request of plan and setup."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cli import prompts, settings
from anyscale_k8s_cli.cli.execution import Session
from anyscale_k8s_cli.cli.options import HelmOptions
from anyscale_k8s_cli.cli.program import words
from anyscale_k8s_cli.cli.register_options import RegisterOptions, RegisterSpecOptions
from anyscale_k8s_cli.cli.spec_options import SetupOptions, SpecOptions
from anyscale_k8s_cli.operations.requests import HelmChoice, RegisterRequest, SetupRequest

if TYPE_CHECKING:
    from anyscale_k8s_cli.spec import Settings


def setup_request(
    spec: SpecOptions,
    more: SetupOptions,
    helm: HelmOptions,
    session: Session,
    *,
    may_ask: bool,
    saved_plan: Path | None = None,
) -> SetupRequest:
    """Asks for what is missing if it may. Raises `usage`, and `invalid-spec` for what is wrong."""
    # Told before the operations are imported, and with them the SDKs.
    from anyscale_k8s_cli.spec_loading import check

    said = settings.from_options(spec)
    if saved_plan is not None:
        _only_the_plan(said, more)
    else:
        in_file = _said_in(more.file)
        said = session.off_the_clock(
            lambda: prompts.fill_in(said, in_file, session.environment, may_ask=may_ask)
        )
        check(flags=said, file=more.file)
    return SetupRequest(
        environment=session.environment,
        flags=said,
        file=more.file,
        typed=words(sys.argv[1:]),
        saved_plan=saved_plan,
        cloud_id=more.cloud_id,
        add_to_cloud=more.add_to_cloud,
        replace_cluster=more.replace_cluster,
        upgrade=more.upgrade,
        drop_options=more.drop_options,
        only_create=more.only_create,
        values_file=more.values_file,
        overwrite=more.overwrite,
        helm=HelmChoice(helm.helm, helm.helm_from_index),
    )


def register_request(
    spec: RegisterSpecOptions, more: RegisterOptions, helm: HelmOptions, session: Session
) -> RegisterRequest:
    """The same for register. Nobody is asked for a cluster, which need not be named."""
    if more.manifests_dir and more.install_operator:
        raise errors.CliError(
            errors.USAGE,
            "--manifests-dir goes without --install-operator",
            cause="what the manifests would make is made",
            fix="leave one of them out",
        )
    if not more.install_operator:
        _without_operator(spec, more)
    said: Settings = {}
    if more.file:
        from anyscale_k8s_cli.operations.vendor_file import settings_in

        found = settings_in(more.file)
        if found is not None:
            said, more = found, replace(more, file=None)
    request = setup_request(spec, more, helm, session, may_ask=False)
    return RegisterRequest(
        **{**vars(request), "flags": {**said, **request.flags}},
        manifests_dir=more.manifests_dir,
        install_operator=more.install_operator,
    )


def _without_operator(spec: RegisterSpecOptions, more: RegisterOptions) -> None:
    """Refuse what means something only where the cluster is changed, too."""
    of_setup = {
        "--replace-cluster": more.replace_cluster,
        "--upgrade": more.upgrade,
        "--drop-options": more.drop_options,
        "--only-create": more.only_create,
        "--probe": spec.probe,
    }
    given = [name for name, value in of_setup.items() if value]
    if given:
        raise errors.CliError(
            errors.USAGE,
            f"{given[0]} goes with --install-operator",
            cause="without it nothing in the cluster is changed",
            fix=f"leave {given[0]} out, or add --install-operator",
        )


def _only_the_plan(said: dict[str, Any], more: SetupOptions) -> None:
    if said or more.file:
        raise errors.CliError(
            errors.USAGE,
            "--plan takes no other settings",
            cause="a saved plan holds all of them, and "
            + (f"{more.file} was given too" if more.file else f"{', '.join(sorted(said))} too"),
            fix="leave them out, or make a new plan with `anyscale cloud plan --out FILE`",
        )


def _said_in(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    from anyscale_k8s_cli.spec import leaves
    from anyscale_k8s_cli.spec_loading import read_file

    return dict(leaves(read_file(file)))
