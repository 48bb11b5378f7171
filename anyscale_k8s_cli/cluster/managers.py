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
# What these tools call themselves where they write, with whatever marks or none.
_FIELD_MANAGERS = {
    "argocd-controller": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
}
_ADDON_MODE = "addonmanager.kubernetes.io/mode"


def release_of(document: Document) -> tuple[str, str] | None:
    """Namespace and name of the Helm release that the object belongs to."""
    annotations = document["metadata"].get("annotations") or {}
    name = annotations.get(HELM_RELEASE)
    return (annotations.get(HELM_NAMESPACE, ""), name) if name else None


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
    release = release_of(document)
    if release is not None and release != own_release:
        return f"Helm release {release[0]}/{release[1]}"
    if _ADDON_MODE in labels:
        return "the cluster's add-on manager"
    return next(filter(None, map(_writer, metadata.get("managedFields") or ())), "")


def _writer(entry: Document) -> str:
    """The tool that a set of managed fields is of; what is beside the object itself counts not."""
    return "" if entry.get("subresource") else _FIELD_MANAGERS.get(str(entry.get("manager")), "")
