"""What a GitOps tool looks after is nobody else's to change, of whatever kind it is."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.cluster.definitions import API as DEFINITIONS
from anyscale_k8s_cli.cluster.documents import Reference
from anyscale_k8s_cli.resource import Change, Ownership, Rights, ownership

from .site import CPU, Site

ARGO = {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Thing:ns/name"}}
FLUX = {
    "labels": {
        "kustomize.toolkit.fluxcd.io/name": "apps",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    }
}
TOLD = {"argo": "Argo CD application shop", "flux": "Flux kustomization flux-system/apps"}
ENVOY, GATEWAY = "gateway.envoyproxy.io/v1alpha1", "gateway.networking.k8s.io/v1"
# What is marked, and what it is a part of.
OWN = {
    "k8s:envoyproxy/ray/gateway": Reference(ENVOY, "EnvoyProxy", "gateway", "ray"),
    "k8s:gateway/ray/gateway": Reference(GATEWAY, "Gateway", "gateway", "ray"),
    "k8s:serviceaccount/ray/anyscale-operator": Reference(
        "v1", "ServiceAccount", "anyscale-operator", "ray"
    ),
    "helm:release/ray/anyscale-operator": Reference(
        "apps/v1", "Deployment", "anyscale-operator", "ray"
    ),
}
SHARED = {
    "k8s:namespace/ray": Reference("v1", "Namespace", "ray"),
    "k8s:definitions/gateway.networking.k8s.io": Reference(
        DEFINITIONS, "CustomResourceDefinition", "gateways.gateway.networking.k8s.io"
    ),
    "helm:release/envoy-gateway-system/eg": Reference(
        "apps/v1", "Deployment", "envoy-gateway", "envoy-gateway-system"
    ),
}


@pytest.fixture(scope="module")
def installed(lasting: Site) -> Site:
    lasting.world.apply(lasting.install(spec=CPU).resources)
    return lasting


@pytest.mark.parametrize(("tool", "mark"), [("argo", ARGO), ("flux", FLUX)])
def test_it_is_foreign_and_never_changed(
    installed: Site, tool: str, mark: dict[str, dict[str, str]]
) -> None:
    marked = OWN | SHARED
    for reference in marked.values():
        installed.world.kubernetes.patch_merge(reference, {"metadata": mark})
    try:
        planned = installed.world.plan(installed.install(upgrade=True, spec=CPU).resources).changes
        found = {item.resource.key: item for item in planned if item.resource.key in marked}
        for key in marked:
            assert found[key].change is (Change.REFUSE if key in OWN else Change.KEEP), key
            assert TOLD[tool] in found[key].decision.reason, key
        # A deletion asks the same question, and leaves what is not ours.
        going = installed.install(teardown=True, spec=CPU).resources
        left = {item.key: item for item in going if item.key in marked}
        for key in marked:
            observed = left[key].read()
            assert observed is not None, key
            owner = ownership(left[key], observed, everything(observed))
            assert owner is Ownership.FOREIGN, key
    finally:
        nothing = {part: dict.fromkeys(pairs) for part, pairs in mark.items()}
        for reference in marked.values():
            installed.world.kubernetes.patch_merge(reference, {"metadata": nothing})


def everything(observed: Any) -> Rights:
    """As if the inventory said that we had made it."""
    return Rights(ledger_ids=frozenset({observed.id}))


def test_a_definition_of_others_among_ours_is_not_written(installed: Site) -> None:
    """Where another one is missing, it alone is made."""
    theirs, missing = (
        Reference(DEFINITIONS, "CustomResourceDefinition", f"{name}.gateway.networking.k8s.io")
        for name in ("httproutes", "grpcroutes")
    )
    kubernetes = installed.world.kubernetes
    kubernetes.patch_merge(theirs, {"metadata": ARGO})
    before = kubernetes.get(theirs.api_version, theirs.kind, theirs.name)
    kubernetes.delete(missing)
    kubernetes.wait_gone(missing, timeout=10)
    installed.world.apply(installed.install(spec=CPU).resources)
    assert kubernetes.get(missing.api_version, missing.kind, missing.name)
    assert kubernetes.get(theirs.api_version, theirs.kind, theirs.name) == before
    kubernetes.patch_merge(
        theirs, {"metadata": {"annotations": dict.fromkeys(ARGO["annotations"])}}
    )
