"""How the gateway's Service asks for a load balancer: GKE serves it, at an IP address."""

from __future__ import annotations

from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.providers.gke import labels
from anyscale_k8s_cli.spec import CloudSpec

SUBNET = "networking.gke.io/internal-load-balancer-subnet"


def load_balancer(spec: CloudSpec) -> LoadBalancer:
    """External ones need no annotation."""
    network = spec.network
    annotations: dict[str, str] = {}
    if network.expose == "internal":
        annotations = dict.fromkeys(labels.LOAD_BALANCER_TYPE, labels.INTERNAL)
        if network.load_balancer_subnets:
            annotations[SUBNET] = network.load_balancer_subnets[0]
    return LoadBalancer(
        served_by="GKE",
        annotations={**annotations, **network.annotations},
        source_ranges=network.allow_cidrs,
    )
