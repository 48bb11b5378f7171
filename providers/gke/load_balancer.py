"""How the gateway's Service asks for a load balancer: GKE serves it, at an IP address."""

from __future__ import annotations

from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.providers.gke import labels
from anyscale_k8s_cli.providers.gke.sdk.compute import Compute
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
        decisive=labels.LOAD_BALANCER_TYPE,
        source_ranges=network.allow_cidrs,
    )


def unlike(compute: Compute, region: str, asked: LoadBalancer, address: str) -> str:
    """How the load balancer at an address is not as asked for, in words that follow its name."""
    try:
        rules = compute.forwarding_rules(region)
    except CloudFailure as failure:
        if failure.denied:
            return ""
        raise
    wanted = asked.annotations.get(labels.LOAD_BALANCER_TYPE[0]) == labels.INTERNAL
    found = next((rule.internal for rule in rules if rule.address == address), wanted)
    if found == wanted:
        return ""
    return "is internal, and is to be public" if found else "is public, and is to be internal"
