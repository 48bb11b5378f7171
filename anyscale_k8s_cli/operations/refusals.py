"""A right that is missing in the cluster is told with all others that are."""

from __future__ import annotations

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Finding, Status
from anyscale_k8s_cli.checks.cluster import rights
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.spec import CloudSpec


def whole(
    problem: errors.CliError, kubernetes: Kubernetes, spec: CloudSpec, verb: Verb
) -> errors.CliError:
    """Of a first refusal one that names every right that the command lacks; else the problem."""
    found = _all(kubernetes, spec, verb) if problem.code is errors.CLUSTER_FORBIDDEN else None
    if found is None:
        return problem
    return errors.CliError(
        errors.CLUSTER_FORBIDDEN,
        f"{kubernetes.access.principal or 'The principal used'} may not do in the cluster what "
        f"{verb.value} does there",
        cause=problem.cause,
        evidence=found.evidence,
        fix=found.fix,
    )


def _all(kubernetes: Kubernetes, spec: CloudSpec, verb: Verb) -> Finding | None:
    """None where the API server tells of none, or of nothing."""
    try:
        found = rights(kubernetes, spec.namespace, verb, spec.provider, spec.network.kind)
    except errors.CliError as problem:
        if problem.exit_code in (errors.ExitCode.INTERRUPTED, errors.ExitCode.TERMINATED):
            raise
        return None
    return found if found.status is Status.FAIL else None
