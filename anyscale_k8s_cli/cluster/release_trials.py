"""What helm would write for a release, with the pods that would come of it, to be tried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from anyscale_k8s_cli.cluster.additions import with_added
from anyscale_k8s_cli.cluster.charts import ChartArchive
from anyscale_k8s_cli.cluster.comparing import differences
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.dry_runs import Trial, pods_of
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.managers import HELM_NAMESPACE, HELM_RELEASE, MANAGED_BY_LABEL
from anyscale_k8s_cli.cluster.release_work import Found, HelmTools, Release

_HOOK = "helm.sh/hook"


def release_trials(
    tools: HelmTools, release: Release, archive: ChartArchive, found: Found | None
) -> Iterator[Trial]:
    """Each object once, as helm writes it. May raise `NotYetKnown`, and what rendering raises."""
    rendered = tools.run.await_(
        tools.helm.template(
            release.name,
            release.namespace,
            archive,
            release.values(),
            include_crds=not release.skip_crds,
            kubernetes_version=tools.kubernetes.version(),
        )
    )
    for document in rendered:
        hooks = _hooks(document)
        if hooks and ("pre-upgrade" if found else "pre-install") not in hooks:
            continue
        reference = tools.kubernetes.placed(Reference.of(document, release.namespace))
        written = _as_by_helm(document, reference, release, hook=bool(hooks))
        yield Trial(written, new=bool(hooks), hook=bool(hooks))
        finished = with_added(written, release.addition)
        if _makes_pods_anew(tools.kubernetes, finished, found):
            yield from pods_of(finished, hook=bool(hooks))


def _as_by_helm(document: Document, at: Reference, release: Release, *, hook: bool) -> Document:
    metadata: dict[str, Any] = dict(document["metadata"])
    if at.namespace:
        metadata["namespace"] = at.namespace
    if not hook:
        # https://helm.sh/docs/chart_best_practices/labels/: helm adds them by itself.
        metadata["labels"] = {**(metadata.get("labels") or {}), MANAGED_BY_LABEL: "Helm"}
        metadata["annotations"] = {
            **(metadata.get("annotations") or {}),
            HELM_RELEASE: release.name,
            HELM_NAMESPACE: release.namespace,
        }
    return {**document, "metadata": metadata}


def _hooks(document: Document) -> set[str]:
    annotations = document["metadata"].get("annotations") or {}
    return {name.strip() for name in str(annotations.get(_HOOK) or "").split(",")} - {""}


def _makes_pods_anew(kubernetes: Kubernetes, workload: Document, found: Found | None) -> bool:
    """Whether its template is another one than that of the pods that are there."""
    live = found.live.get(kubernetes.placed(Reference.of(workload))) if found else None
    if live is None:
        return True
    wanted = {"spec": {"template": (workload.get("spec") or {}).get("template")}}
    return any(True for _ in differences(wanted, live))
