"""Marks of other tools on an object."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli.cluster.managers import manager_of

HELM = {"meta.helm.sh/release-name": "eg", "meta.helm.sh/release-namespace": "infra"}


@pytest.mark.parametrize(
    ("labels", "annotations", "expected"),
    [
        ({}, {}, ""),
        ({"app.kubernetes.io/managed-by": "anyscale-k8s-cli"}, {}, ""),
        ({}, {"argocd.argoproj.io/tracking-id": "shop:apps/x"}, "Argo CD application shop"),
        ({"argocd.argoproj.io/instance": "shop"}, {}, "Argo CD application shop"),
        (
            {
                "kustomize.toolkit.fluxcd.io/name": "apps",
                "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
            },
            {},
            "Flux kustomization flux-system/apps",
        ),
        ({"helm.toolkit.fluxcd.io/name": "eg"}, {}, "Flux HelmRelease /eg"),
        ({}, HELM, "Helm release infra/eg"),
        ({"addonmanager.kubernetes.io/mode": "Reconcile"}, {}, "the cluster's add-on manager"),
    ],
)
def test_manager(labels: dict[str, str], annotations: dict[str, str], expected: str) -> None:
    document = {"metadata": {"name": "x", "labels": labels, "annotations": annotations}}
    assert manager_of(document) == expected


def test_our_own_release_is_no_stranger() -> None:
    document = {"metadata": {"name": "x", "annotations": HELM}}
    assert manager_of(document, own_release=("infra", "eg")) == ""
    assert manager_of(document, own_release=("other", "eg")) != ""


def test_argo_wins_over_helm_that_it_renders() -> None:
    marks = HELM | {"argocd.argoproj.io/tracking-id": "shop:apps/x"}
    document = {"metadata": {"name": "x", "annotations": marks}}
    assert manager_of(document) == "Argo CD application shop"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"manager": "argocd-controller", "operation": "Apply"}, "Argo CD"),
        ({"manager": "kustomize-controller", "operation": "Apply"}, "Flux"),
        ({"manager": "helm-controller", "operation": "Update"}, "Flux"),
        # What is beside an object is not the object.
        ({"manager": "argocd-controller", "operation": "Update", "subresource": "status"}, ""),
        ({"manager": "helm", "operation": "Update"}, ""),
    ],
)
def test_who_writes_without_a_mark_is_known_by_its_name(
    entry: dict[str, str], expected: str
) -> None:
    """Argo CD's tracking by label alone says nothing that a chart does not say, too."""
    assert manager_of({"metadata": {"name": "x", "managedFields": [entry]}}) == expected
