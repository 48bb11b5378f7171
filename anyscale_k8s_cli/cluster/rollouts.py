"""When a workload is up: for its present generation, counted as its controller counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster import scale_up
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.placing import Placing
from anyscale_k8s_cli.run import StillWaiting


def rolled_out(workload: Document) -> None:
    """Raise `StillWaiting` until every pod of the present generation is available.

    Knows Deployments, StatefulSets, DaemonSets, Jobs and the definitions of
    custom resources; anything else is ready by being there.
    """
    rule = _RULES.get(workload["kind"])
    if rule is not None:
        rule(workload)


def watched_kinds() -> frozenset[str]:
    """The kinds that `rolled_out` has a rule for."""
    return frozenset(_RULES)


def wait_all(
    kubernetes: Kubernetes,
    references: Sequence[Reference],
    *,
    timeout: float,
    expired: Callable[[Reference, str], errors.CliError],
    settled: float = scale_up.SETTLED,
) -> None:
    """Wait for each of them, `timeout` seconds for all together.

    Of pods that no node takes it tells; where for `settled` seconds those that add nodes say
    that they add none, the wait is over.
    """
    deadline = time.monotonic() + timeout
    for reference in references:
        if reference.kind not in _RULES:
            continue

        def late(seen: str, late: Reference = reference) -> errors.CliError:
            return expired(late, seen)

        workloads = (reference,) if reference.kind in _WITH_PODS else ()
        patience = scale_up.Patience(settled)
        placing = Placing(kubernetes, partial(tuple, workloads), patience)
        done = partial(_up, placing=placing, late=late)

        kubernetes.watch_until(
            reference,
            done,
            what=f"{reference} to be ready",
            timeout=max(1.0, deadline - time.monotonic()),
            expired=late,
        )


def _up(
    found: Document | None, *, placing: Placing, late: Callable[[str], errors.CliError]
) -> None:
    if found is None:
        raise StillWaiting("it does not exist")
    try:
        rolled_out(found)
    except StillWaiting as seen:
        if placing.in_vain():
            raise late(str(seen)) from None
        raise placing.also(seen) from None


def _current(workload: Document) -> Document:
    """The status, once it speaks of the present generation."""
    status: Document = workload.get("status") or {}
    if status.get("observedGeneration", 0) < workload["metadata"].get("generation", 0):
        raise StillWaiting("its controller has not seen the change yet")
    return status


def _deployment(workload: Document) -> None:
    status = _current(workload)
    for condition in status.get("conditions") or []:
        if condition.get("type") == "Progressing" and condition.get("status") == "False":
            raise StillWaiting(f"{condition.get('reason')}: {condition.get('message')}")
    wanted = workload["spec"].get("replicas", 1)
    updated = status.get("updatedReplicas", 0)
    available = status.get("availableReplicas", 0)
    if updated < wanted:
        raise StillWaiting(f"{updated} of {wanted} pods are of the new version")
    if status.get("replicas", 0) > updated:
        raise StillWaiting("pods of the old version are ending")
    if available < wanted:
        raise StillWaiting(f"{available} of {wanted} pods are available")


def _stateful_set(workload: Document) -> None:
    status = _current(workload)
    wanted = workload["spec"].get("replicas", 1)
    ready = min(status.get("readyReplicas", 0), status.get("updatedReplicas", 0))
    if ready < wanted:
        raise StillWaiting(f"{ready} of {wanted} pods are ready")


def _daemon_set(workload: Document) -> None:
    status = _current(workload)
    # None are wanted where no node fits: that is ready.
    wanted = status.get("desiredNumberScheduled", 0)
    ready = min(status.get("numberAvailable", 0), status.get("updatedNumberScheduled", 0))
    if ready < wanted:
        raise StillWaiting(f"{ready} of {wanted} pods are available")


def _job(workload: Document) -> None:
    conditions = (workload.get("status") or {}).get("conditions") or []
    for condition in conditions:
        if condition.get("type") == "Complete" and condition.get("status") == "True":
            return
        if condition.get("type") == "Failed" and condition.get("status") == "True":
            raise StillWaiting(f"failed: {condition.get('message', '')}")
    raise StillWaiting("it has not finished")


def _definition(workload: Document) -> None:
    conditions = (workload.get("status") or {}).get("conditions") or []
    if not any(c.get("type") == "Established" and c.get("status") == "True" for c in conditions):
        raise StillWaiting("the API does not serve it yet")


_WITH_PODS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job"})
_RULES: dict[str, Callable[[Document], None]] = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "CustomResourceDefinition": _definition,
}
