"""What is left of a cloud that is registered no more, and the command that goes on from there."""

from __future__ import annotations

from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.ledger import INTENDED, LedgerContent, ledger_of
from anyscale_k8s_cli.operations.said import (
    located,
    of_unknown_options,
    on_install,
    setup_command,
)
from anyscale_k8s_cli.operations.search import FoundInstall
from anyscale_k8s_cli.operations.workbench import access_of, searched_spec
from anyscale_k8s_cli.provider import ClusterState
from anyscale_k8s_cli.registration import RegisteredResource
from anyscale_k8s_cli.resource import DataResource
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import Scope


def what_is_left(
    found: FoundInstall, scope: Scope, run: Run, *, recorded: bool = False
) -> errors.CliError | None:
    """What to tell of it; None where nothing is left.

    Setup is proposed where the ledger still counts on the registration: a deletion
    takes that out of it first; and where Anyscale has the cloud, without our cluster
    (`recorded`). Everything else is a deletion's to finish.
    """
    install = found.install
    ledger, unseen = _ledger(found, scope, run)
    named = (entry for entry in ledger.entries.values() if entry.kind == RegisteredResource.kind)
    registration = next(named, None)
    delete = on_install("anyscale cloud delete", found.provider, install, scope)
    where = f"namespace {install.namespace} of {install.cluster}"
    again = (
        setup_command(ledger.said)
        if ledger.said
        else of_unknown_options(located(found.provider.locate(install)))
    )
    if registration is not None and not recorded:
        unfinished = registration.state == INTENDED
        return errors.CliError(
            errors.CLOUD_NOT_FOUND,
            f"The cloud {install.cloud} is not registered{'' if unfinished else ' any more'}",
            cause=f"its setup did not end; what it made is in {where}"
            if unfinished
            else f"its registration was removed, and its operator is still meant for {where}",
            evidence=(f"to remove what is left: {delete}",),
            fix=again,
        )
    left = [item for item in found.provider.find_owned(scope, install) if item.read() is not None]
    rest = [item.title for item in left if not isinstance(item, DataResource)]
    data = [item for item in left if isinstance(item, DataResource)]
    if ledger.entries:
        rest.append(f"what is in {where}")
    if not rest and not data and not unseen:
        return None
    if recorded:
        made = ", ".join((*rest, *(item.title for item in data)))
        return errors.CliError(
            errors.CLOUD_NOT_FOUND,
            f"The cloud {install.cloud} has no cluster of yours",
            cause=f"its setup or its deletion did not end; there is {made}"
            if made
            else "its setup or its deletion did not end",
            evidence=(f"to remove what is left: {delete}", *unseen),
            fix=again,
        )
    told = "".join(
        f"\nshows what is left; with --delete-bucket {_name(item)} the data goes too"
        for item in data
    )
    return errors.CliError(
        errors.CLOUD_NOT_FOUND,
        f"The cloud {install.cloud} is not there any more",
        cause=f"of it is left: {', '.join(rest)}"
        if rest
        else "of it is left what a deletion keeps, your data"
        if data
        else "what is left of it in the cluster is not known",
        evidence=(*(f"kept, with your data: {item.title}" for item in data), *unseen),
        fix=delete if rest else f"{delete}{told}",
    )


def _name(bucket: DataResource[Any]) -> str:
    return bucket.key.partition("/")[2]


def _ledger(found: FoundInstall, scope: Scope, run: Run) -> tuple[LedgerContent, tuple[str, ...]]:
    """The ledger, empty where there is none; and why the cluster could not be asked for it."""
    install, provider = found.install, found.provider
    nothing = LedgerContent(install, {})
    if provider.cluster_state(install) is ClusterState.DELETED:
        return nothing, ()
    try:
        spec = searched_spec(provider.locate(install), scope)
        kubernetes = Kubernetes(access_of(spec, provider.discover(spec)), run)
        return ledger_of(kubernetes, install), ()
    except errors.CliError as problem:
        if problem.exit_code in (errors.ExitCode.INTERRUPTED, errors.ExitCode.TERMINATED):
            raise
        return nothing, (f"the cluster was not looked at: {problem}",)
