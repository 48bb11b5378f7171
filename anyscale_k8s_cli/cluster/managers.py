"""Who else looks after an object: the marks of GitOps tools and of Helm."""

from __future__ import annotations

from anyscale_k8s_cli.cluster.documents import Document

HELM_RELEASE = "meta.helm.sh/release-name"
HELM_NAMESPACE = "meta.helm.sh/release-namespace"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"

# https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/
_ARGO_ID = "argocd.argoproj.io/tracking-id"
_ARGO_LABEL = "argocd.argoproj.io/instance"
# https://fluxcd.io/flux/components/kustomize/kustomizations/ and helm/helmreleases/
_FLUX = {
    "kustomize.toolkit.fluxcd.io": "Flux kustomization",
    "helm.toolkit.fluxcd.io": "Flux HelmRelease",
}
_ADDON_MODE = "addonmanager.kubernetes.io/mode"


def manager_of(document: Document, own_release: tuple[str, str] | None = None) -> str:
    """The tool that manages the object, in words; empty when there is none but us.

    `own_release` is the namespace and name of the Helm release that is ours.
    """
    metadata = document["metadata"]
    labels = metadata.get("labels") or {}
    annotations = metadata.get("annotations") or {}
    if _ARGO_ID in annotations:
        return f"Argo CD application {annotations[_ARGO_ID].split(':')[0]}"
    if _ARGO_LABEL in labels:
        return f"Argo CD application {labels[_ARGO_LABEL]}"
    for prefix, title in _FLUX.items():
        if f"{prefix}/name" in labels:
            return f"{title} {labels.get(f'{prefix}/namespace', '')}/{labels[f'{prefix}/name']}"
    release = annotations.get(HELM_RELEASE)
    if release and (annotations.get(HELM_NAMESPACE, ""), release) != own_release:
        return f"Helm release {annotations.get(HELM_NAMESPACE, '')}/{release}"
    if _ADDON_MODE in labels:
        return "the cluster's add-on manager"
    return ""
