"""How the gateway's Service asks for a load balancer: Nebius serves it, at an IP address."""

from __future__ import annotations

from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.providers.nebius import labels
from anyscale_k8s_cli.spec import CloudSpec


def load_balancer(spec: CloudSpec) -> LoadBalancer:
    """Public ones need no annotation."""
    network = spec.network
    internal = network.expose == "internal"
    own = {labels.LOAD_BALANCER_TYPE: labels.INTERNAL} if internal else {}
    return LoadBalancer(
        served_by="Nebius",
        annotations={**own, **network.annotations},
        decisive=(labels.LOAD_BALANCER_TYPE,),
        source_ranges=network.allow_cidrs,
    )
