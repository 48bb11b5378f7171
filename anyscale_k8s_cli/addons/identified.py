"""Whether pods get their identity; one of the operator that came before it is made anew, once.

A platform gives its identity to a pod when the pod is made, by what it writes into its
manifest. One that was faster goes on without, for good and in silence: it is its node, or
nobody.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import NoReturn

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.context import ClusterContext
from anyscale_k8s_cli.addons.names import OPERATOR_RELEASE, SERVICE_ACCOUNT
from anyscale_k8s_cli.cloud_side import CloudSide
from anyscale_k8s_cli.cluster.documents import Document, Documents, Reference
from anyscale_k8s_cli.cluster.transport import KubernetesError
from anyscale_k8s_cli.events import Notice
from anyscale_k8s_cli.run import StillWaiting

PODS = "app=anyscale-operator"
STATUS_PORT = 2113
# Seconds. A pod that is not even made by then has another trouble, which is told better by
# the wait for the whole release. Platforms take a few seconds to see a new identity.
MADE_WITHIN = 60.0
GIVEN_WITHIN = 20.0
# The operator asks who it is once it has started.
TOLD_WITHIN = 10.0
_RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


def ensure_identified(context: ClusterContext, cloud_side: CloudSide | None) -> None:
    """Return once the operator's newest pod has what its platform gives it.

    Raises `operator-lacks-identity`, with the identity that is expected and the one that
    the pod has, when a new pod lacks it as well.
    """
    if cloud_side is None or not cloud_side.pod_variables:
        return
    first = _made(context, ())
    lacking = list(_lacking(first, cloud_side.pod_variables))
    if not lacking:
        return
    names = ", ".join(pod["metadata"]["name"] for pod in lacking)
    text = f"{names} came before its identity and has none; the operator is restarted once"
    context.run.emit(Notice(level="warning", text=text))
    is_given(context, cloud_side.pod_variables, SERVICE_ACCOUNT)
    _restart(context)
    second = _made(context, {pod["metadata"]["uid"] for pod in first})
    for pod in _lacking(second, cloud_side.pod_variables):
        _refuse(context, cloud_side, pod)


def await_given(context: ClusterContext, variables: Collection[str], account: str) -> None:
    """Return once a new pod of the account would get what its platform gives it.

    Where that does not come in time it is told, and the first pods may lack it.
    """
    if not is_given(context, variables, account):
        text = f"pods of {context.install.namespace}/{account} would not get their identity yet"
        context.run.emit(Notice(level="warning", text=text))


def held_by(context: ClusterContext, pod: Document) -> str:
    """Whom the pod's cloud takes it for, as the operator itself tells; empty for nobody.

    Raises a `CliError` where the operator cannot be asked.
    """
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    told = context.kubernetes.pod_page(namespace, name, STATUS_PORT, "config")
    return str(told.get("iamIdentity") or "")


def _made(context: ClusterContext, before: Collection[str]) -> Documents:
    """The operator's pods but those of `before`; none where none is made in time."""

    def look() -> Documents:
        found = context.kubernetes.list("v1", "Pod", context.install.namespace, label_selector=PODS)
        living = [
            pod
            for pod in found
            if pod["metadata"]["uid"] not in before and "deletionTimestamp" not in pod["metadata"]
        ]
        if not living:
            raise StillWaiting("it is not there yet")
        return living

    try:
        return context.run.wait_for(look, what="a pod of the operator", timeout=MADE_WITHIN)
    except errors.CliError as problem:
        if problem.code is not errors.TIMED_OUT:
            raise
        return []


def _lacking(pods: Documents, variables: Collection[str]) -> Iterator[Document]:
    for pod in pods:
        given = {
            variable["name"]
            for container in pod["spec"]["containers"]
            for variable in container.get("env") or ()
        }
        if not set(variables) <= given:
            yield pod


def is_given(context: ClusterContext, variables: Collection[str], account: str) -> bool:
    """Ask with a pod that is not made, so that the next one does not come too early.

    Best effort: where that may not be asked it is true, and the next pod tells.
    """
    question: Document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "anyscale-k8s-identity-question",
            "namespace": context.install.namespace,
        },
        "spec": {
            "serviceAccountName": account,
            "containers": [{"name": "pod", "image": "none"}],
        },
    }

    def look() -> None:
        if list(_lacking([context.kubernetes.create(question, dry_run=True)], variables)):
            raise StillWaiting("a new pod would not get it yet")

    try:
        what = f"the identity of pods of {account}"
        context.run.wait_for(look, what=what, timeout=GIVEN_WITHIN)
    except KubernetesError:
        return True
    except errors.CliError as problem:
        if problem.code is not errors.TIMED_OUT:
            raise
        return False
    return True


def _restart(context: ClusterContext) -> None:
    """As `kubectl rollout restart` does it."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    context.kubernetes.patch_merge(
        Reference("apps/v1", "Deployment", OPERATOR_RELEASE, context.install.namespace),
        {"spec": {"template": {"metadata": {"annotations": {_RESTARTED_AT: now}}}}},
    )


def _refuse(context: ClusterContext, cloud_side: CloudSide, pod: Document) -> NoReturn:
    """Raise `operator-lacks-identity` once the pod tells what it is, or has had the time to."""

    def look() -> str:
        try:
            held = held_by(context, pod)
        except (errors.CliError, json.JSONDecodeError) as problem:
            raise StillWaiting(f"not known: {problem}") from problem
        if not held:
            raise StillWaiting("nobody")
        return held

    def refusal(held: str) -> errors.CliError:
        return _without_identity(cloud_side, pod, held)

    what = f"{pod['metadata']['name']} to tell what it is"
    raise refusal(context.run.wait_for(look, what=what, timeout=TOLD_WITHIN, expired=refusal))


def _without_identity(cloud_side: CloudSide, pod: Document, held: str) -> errors.CliError:
    expected = cloud_side.identity_output.registered
    name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    return errors.CliError(
        errors.OPERATOR_LACKS_IDENTITY,
        "The operator does not get its identity",
        cause=f"expected is {expected}; what the pod is, is {held}",
        evidence=(
            f"Pod {name} was made anew and still has none of: "
            + ", ".join(cloud_side.pod_variables),
        ),
        fix="see that what gives pods their identity runs in the cluster and is reached by its "
        "API server (a mutating webhook for pods), and run the same command again",
    )
