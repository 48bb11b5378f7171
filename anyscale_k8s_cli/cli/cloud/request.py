"""From what was typed to the request of plan and setup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cli import prompts, settings
from anyscale_k8s_cli.cli.execution import Session
from anyscale_k8s_cli.cli.options import HelmOptions
from anyscale_k8s_cli.cli.spec_options import SetupOptions, SpecOptions
from anyscale_k8s_cli.operations.requests import HelmChoice, SetupRequest


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
