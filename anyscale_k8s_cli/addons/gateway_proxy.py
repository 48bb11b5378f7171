"""What the controller makes for a Gateway, so that it can be tried before it does."""

from __future__ import annotations

from collections.abc import Iterator

from anyscale_k8s_cli.addons.addresses import service_labels
from anyscale_k8s_cli.addons.context import InstallContext
from anyscale_k8s_cli.addons.own_load_balancer import service_settings
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.objects import INSTALL_LABEL
from anyscale_k8s_cli.cluster.pins import pins
from anyscale_k8s_cli.provider import LoadBalancer

# On all that Envoy Gateway makes.
_BY_ENVOY = {
    "app.kubernetes.io/name": "envoy",
    "app.kubernetes.io/component": "proxy",
    "app.kubernetes.io/managed-by": "envoy-gateway",
}
# What the controller gives a proxy's containers where nobody says more.
# https://github.com/envoyproxy/gateway/blob/main/api/v1alpha1/shared_types.go
_PROXY_REQUESTS = {
    "envoy": {"cpu": "100m", "memory": "512Mi"},
    "shutdown-manager": {"cpu": "10m", "memory": "32Mi"},
}


def proxy_service(
    context: InstallContext, load_balancer: LoadBalancer | None, gateway: Reference
) -> Document:
    """The Service that the controller makes of the proxy's settings, but for its namespace."""
    settings = service_settings(context, load_balancer, {INSTALL_LABEL: context.install.id})
    own = {key: settings[key] for key in settings if key.startswith("loadBalancer")}
    labels = {**_BY_ENVOY, **service_labels(gateway)}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": f"envoy-{context.install.id}",
            "labels": labels,
            "annotations": settings["annotations"],
        },
        "spec": {
            "type": settings["type"],
            **own,
            "selector": labels,
            "ports": [{"name": "http", "port": 80}, {"name": "https", "port": 443}],
        },
    }


def proxy_objects(
    context: InstallContext, gateway: Reference, namespace: str
) -> Iterator[Document]:
    """What there is of a proxy besides its Service, as far as quotas and ranges count it."""
    labels = {**_BY_ENVOY, **service_labels(gateway)}
    metadata = {"name": f"envoy-{context.install.id}", "namespace": namespace, "labels": labels}
    for kind in ("ConfigMap", "ServiceAccount"):
        yield {"apiVersion": "v1", "kind": kind, "metadata": metadata}
    containers = [
        {"name": name, "image": pins().images["envoy"], "resources": {"requests": requests}}
        for name, requests in _PROXY_REQUESTS.items()
    ]
    yield {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }
