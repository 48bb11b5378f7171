"""Checks of the operator that is installed: who it is, what it may do, whom its webhook asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.names import OPERATOR_CHART, OPERATOR_RELEASE, SERVICE_ACCOUNT
from anyscale_k8s_cli.addons.traces import operator_key
from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, also, declared, passed
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.pins import pins
from anyscale_k8s_cli.cluster.release_records import ReleaseRecord
from anyscale_k8s_cli.cluster.rights import Right, denied
from anyscale_k8s_cli.cluster.transport import KubernetesError

_PODS = "app=anyscale-operator"
_STATUS_PORT = 2113
_TYPES = {"anyscale.com/name": "instance-types"}
_ASKED_ABOUT = "anyscale-k8s-webhook-question"
# Rights that one line names; all of them are in the evidence.
_TOLD = 3
# How the API server begins to tell of a no that is not its own.
_NO_RELEASE = "the operator's release is not there"

Same = Callable[[str, str], bool]


def operator_checks(
    kubernetes: Kubernetes,
    record: ReleaseRecord | None,
    namespace: str,
    registered: str,
    same: Same,
    again: str,
) -> tuple[BoundCheck, ...]:
    """`record` is Helm's of the operator.

    `registered` is the identity in the registration, empty where there is none; `same`
    compares it with a held one.
    """
    release = (operator_key(namespace),)
    found = (
        declared.OPERATOR_RIGHTS.bind(
            lambda: rights(kubernetes, namespace, record, again), release
        ),
        declared.OPERATOR_WEBHOOK.bind(lambda: webhook(kubernetes, namespace, again), release),
    )
    if not registered:
        return found
    held = declared.OPERATOR_HOLDS_IDENTITY.bind(
        lambda: holds(kubernetes, namespace, registered, same, again)
    )
    return (held, *found)


# -- who it is --------------------------------------------------------------------


def holds(
    kubernetes: Kubernetes, namespace: str, registered: str, same: Same, again: str = ""
) -> Finding:
    """Ask the operator itself: a session lasts longer than what gave it."""
    pods = kubernetes.list("v1", "Pod", namespace, label_selector=_PODS)
    running = [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Running"]
    if not running:
        return Finding(Status.UNKNOWN, "no pod of the operator runs")
    name = running[0]["metadata"]["name"]
    told = kubernetes.pod_page(namespace, name, _STATUS_PORT, "config")
    held = str(told.get("iamIdentity") or "")
    if same(registered, held):
        return passed(held)
    who = f"the operator is {held}" if held else "the operator holds no identity"
    restart = kubernetes.access.kubectl(
        f"-n {namespace} rollout restart deployment {OPERATOR_RELEASE}"
    )
    return Finding(
        Status.FAIL,
        f"{who}; registered is {registered}",
        (f"told by Pod {namespace}/{name}",),
        f"{restart}\n{again}",
    )


# -- what it may do ---------------------------------------------------------------


def rights(
    kubernetes: Kubernetes, namespace: str, record: ReleaseRecord | None, again: str = ""
) -> Finding:
    """Ask the API server, of the operator's account, about each right that its chart grants."""
    if record is None:
        return Finding(Status.UNKNOWN, _NO_RELEASE)
    wanted = sorted(set(_granted(record)))
    account = f"{namespace}/{account_of(record.values)}"

    lacking = [str(item) for item in denied(kubernetes, wanted, namespace, account)]
    if not lacking:
        return passed(f"{len(wanted)} rights")
    return Finding(
        Status.FAIL,
        f"ServiceAccount {account} may not {', '.join(lacking[:_TOLD])}"
        + " and more" * (len(lacking) > _TOLD),
        tuple(lacking),
        again,
    )


def _granted(record: ReleaseRecord) -> Iterator[Right]:
    for item in record.objects:
        if item.document is None or item.reference.kind not in ("Role", "ClusterRole"):
            continue
        inside = item.reference.kind == "Role"
        for rule in item.document.get("rules") or ():
            for group in rule.get("apiGroups") or ():
                for resource in rule.get("resources") or ():
                    for verb in rule.get("verbs") or ():
                        yield Right(group, resource, verb, inside)


def account_of(values: Mapping[str, Any]) -> str:
    """The operator's own ServiceAccount, by its Helm values."""
    operator = values.get("operator") or {}
    return str((operator.get("serviceAccount") or {}).get("name") or SERVICE_ACCOUNT)


# -- its webhook ------------------------------------------------------------------


def webhook(kubernetes: Kubernetes, namespace: str, again: str = "") -> Finding:
    """Let the API server ask it about a table of instance types that is never written."""
    name = f"{OPERATOR_RELEASE}-{namespace}"
    found = kubernetes.get(
        "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", name
    )
    if found is None:
        return Finding(Status.FAIL, f"there is no ValidatingWebhookConfiguration {name}", fix=again)
    maps = kubernetes.list("v1", "ConfigMap", namespace, label_selector=_selector(_TYPES))
    if not maps:
        return Finding(Status.UNKNOWN, "the operator has no table of instance types to ask about")
    question: Document = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _ASKED_ABOUT, "namespace": namespace, "labels": _TYPES},
        "data": maps[0].get("data") or {},
    }
    try:
        kubernetes.create(question, dry_run=True)
    except KubernetesError as problem:
        if problem.code is errors.CLUSTER_FORBIDDEN:
            raise
        said = next(iter(problem.evidence), problem.cause or problem.message)
        return Finding(Status.FAIL, said, fix=_webhook_fix(said, again))
    urls = [str((hook.get("clientConfig") or {}).get("url")) for hook in found["webhooks"]]
    return passed(", ".join(urls))


def _webhook_fix(said: str, again: str) -> str:
    if "failed calling webhook" not in said:
        return again
    return (
        "let the cluster's API server (not its nodes) reach Anyscale's address over 443: a "
        "firewall or a proxy of the control plane's network stands between them; then\n" + again
    )


def _selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())


# -- versions ---------------------------------------------------------------------


def versions(records: Mapping[str, ReleaseRecord | None], again: str = "") -> Finding:
    """The charts that are installed against those that this version was tested with."""
    there = {chart: found for chart, found in records.items() if found is not None}
    if OPERATOR_CHART not in there:
        return Finding(Status.UNKNOWN, _NO_RELEASE)
    told = tuple(f"{chart} {found.chart_version}" for chart, found in sorted(there.items()))
    other = [
        f"{chart} {found.chart_version}, tested with {pins().charts[chart].version}"
        for chart, found in sorted(there.items())
        if _bare(found.chart_version) != _bare(pins().charts[chart].version)
    ]
    if not other:
        return passed(", ".join(told))
    return Finding(Status.WARN, "; ".join(other), told, also(again, "--upgrade"))


def _bare(version: str) -> str:
    return version.removeprefix("v").partition("+")[0]
