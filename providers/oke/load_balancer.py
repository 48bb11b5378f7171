"""What the gateway's Service must carry: a network load balancer, which is one of layer 4."""

from __future__ import annotations

from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.providers.oke import labels
from anyscale_k8s_cli.spec import CloudSpec


def load_balancer(spec: CloudSpec) -> LoadBalancer:
    """Public unless it is to be internal; in the cluster's own subnet unless one is named."""
    network = spec.network
    own = {
        labels.LOAD_BALANCER_TYPE: labels.NETWORK_LOAD_BALANCER,
        labels.SECURITY_RULES: labels.ALL_RULES,
    }
    if network.expose == "internal":
        own[labels.INTERNAL] = "true"
    for subnet in network.load_balancer_subnets[:1]:
        own[labels.SUBNET] = subnet
    return LoadBalancer(
        served_by="Oracle",
        annotations={**own, **network.annotations},
        decisive=(labels.INTERNAL,),
        source_ranges=network.allow_cidrs,
    )
