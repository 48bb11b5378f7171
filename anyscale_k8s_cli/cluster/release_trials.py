"""What helm would write for a release, with the pods that would come of it, to be tried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from anyscale_k8s_cli.cluster.additions import with_added
from anyscale_k8s_cli.cluster.charts import ChartArchive
from anyscale_k8s_cli.cluster.comparing import differences
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.dry_runs import Trial, pods_of
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
    yield Trial(_record(release, found.record.revision + 1 if found else 1), new=True)
    for document in rendered:
        hooks = _hooks(document)
        if hooks and ("pre-upgrade" if found else "pre-install") not in hooks:
            continue
        reference = tools.kubernetes.placed(Reference.of(document, release.namespace))
        written = _as_by_helm(document, reference, release, hook=bool(hooks))
        yield Trial(written, new=bool(hooks), hook=bool(hooks))
        finished = with_added(written, release.addition)
        live = found.live.get(tools.kubernetes.placed(Reference.of(finished))) if found else None
        if _makes_pods_anew(finished, live):
            yield from pods_of(finished, hook=bool(hooks), live=live)


def _record(release: Release, revision: int) -> Document:
    """Where helm keeps what it has installed, but for its content."""
    labels = {"name": release.name, "owner": "helm", "status": "pending-install"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"sh.helm.release.v1.{release.name}.v{revision}",
            "namespace": release.namespace,
            "labels": {**labels, "version": str(revision)},
        },
        "type": "helm.sh/release.v1",
    }


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


def _makes_pods_anew(workload: Document, live: Document | None) -> bool:
    """Whether its template is another one than that of the pods that are there."""
    if live is None:
        return True
    wanted = {"spec": {"template": (workload.get("spec") or {}).get("template")}}
    return any(True for _ in differences(wanted, live))
