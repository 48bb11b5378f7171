"""What a cluster holds where Google's own Gateway controller is switched on.

https://cloud.google.com/kubernetes-engine/docs/concepts/gateway-api. The
definitions are Google's to manage; here their schemas admit everything.
"""

from __future__ import annotations

from typing import Any

_GROUP = "gateway.networking.k8s.io"
_BUNDLE = "v1.2.1"
_CONTROLLER = "networking.gke.io/gateway"
_MANAGED = {"addonmanager.kubernetes.io/mode": "Reconcile"}
_CLASSES = (
    "gke-l7-global-external-managed",
    "gke-l7-gxlb",
    "gke-l7-regional-external-managed",
    "gke-l7-rilb",
)
# Kind, whether it has a namespace, its versions; the first is stored.
_KINDS = (
    ("GatewayClass", False, ("v1", "v1beta1")),
    ("Gateway", True, ("v1", "v1beta1")),
    ("HTTPRoute", True, ("v1", "v1beta1")),
    ("GRPCRoute", True, ("v1",)),
    ("ReferenceGrant", True, ("v1beta1",)),
)


def definitions() -> list[dict[str, Any]]:
    """The CustomResourceDefinitions of the standard channel."""
    return [_definition(kind, namespaced, versions) for kind, namespaced, versions in _KINDS]


def classes() -> list[dict[str, Any]]:
    """Google's GatewayClasses; they can be made once their definition is served."""
    return [
        {
            "apiVersion": f"{_GROUP}/v1",
            "kind": "GatewayClass",
            "metadata": {"name": name, "labels": dict(_MANAGED)},
            "spec": {"controllerName": _CONTROLLER},
        }
        for name in _CLASSES
    ]


def _definition(kind: str, namespaced: bool, versions: tuple[str, ...]) -> dict[str, Any]:
    singular = kind.lower()
    plural = f"{singular}es" if singular.endswith("s") else f"{singular}s"
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": singular}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{_GROUP}",
            "labels": dict(_MANAGED),
            "annotations": {
                "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api",
                f"{_GROUP}/bundle-version": _BUNDLE,
                f"{_GROUP}/channel": "standard",
            },
        },
        "spec": {
            "group": _GROUP,
            "scope": "Namespaced" if namespaced else "Cluster",
            "names": names,
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": number == 0,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema},
                }
                for number, version in enumerate(versions)
            ],
        },
    }
