"""What goes away together with an install, so that it is no reason to keep anything."""

from __future__ import annotations

from collections.abc import Callable

from anyscale_k8s_cli.addons.names import GATEWAY, INGRESS_RELEASE, OPERATOR_RELEASE
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.managers import HELM_NAMESPACE, HELM_RELEASE
from anyscale_k8s_cli.cluster.objects import INSTALL_LABEL
from anyscale_k8s_cli.install import Install

# What the operator makes carries labels or annotations of this domain; the head
# and worker pods of Ray have the label besides.
_DOMAIN = "anyscale.com/"
_RAY_LABEL = "ray-node-type"
_PROXY_OF = "gateway.envoyproxy.io/owning-gateway"


def goes_with(
    install: Install, shared_release: tuple[str, str] | None = None
) -> Callable[[Document], bool]:
    """Whether an object is there for this install alone.

    `shared_release` (namespace, name) is one whose fate is decided elsewhere.
    """
    own = {(install.namespace, name) for name in (OPERATOR_RELEASE, INGRESS_RELEASE)}
    releases = {*own, shared_release}

    def judge(item: Document) -> bool:
        metadata = item["metadata"]
        labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
        proxy_of = (labels.get(f"{_PROXY_OF}-namespace"), labels.get(f"{_PROXY_OF}-name"))
        return (
            labels.get(INSTALL_LABEL) == install.id
            or (annotations.get(HELM_NAMESPACE), annotations.get(HELM_RELEASE)) in releases
            or proxy_of == (install.namespace, GATEWAY)
            or (metadata.get("namespace") == install.namespace and made_by_operator(item))
        )

    return judge


def made_by_operator(item: Document) -> bool:
    """Whether an operator made an object by itself; what Helm installed is not meant."""
    metadata = item["metadata"]
    annotations, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
    if HELM_RELEASE in annotations:
        return False
    keys = [*annotations, *labels]
    return _RAY_LABEL in labels or any(key.startswith(_DOMAIN) for key in keys)
