"""How the gateway's Service asks for a load balancer: GKE serves it, at an IP address."""

from __future__ import annotations

from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.providers.gke import labels
from anyscale_k8s_cli.providers.gke.sdk.compute import Compute
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.troubles import Cause, Trouble

SUBNET = "networking.gke.io/internal-load-balancer-subnet"


# What GKE says when it cannot. The first that fits counts.
TROUBLES = (
    Trouble(
        Cause.ADDRESSES,
        r"IP_SPACE_EXHAUSTED|no (more )?(available|free) (IP )?addresses|already (in use|reserved)",
        "free addresses in the subnet, or name another with --lb-subnet",
    ),
    Trouble(
        Cause.QUOTA,
        r"quotaExceeded|QUOTA_EXCEEDED|Quota '\w+' exceeded",
        "have the quota that it names raised in the region, or delete what nobody uses of it",
    ),
    Trouble(
        Cause.POLICY,
        r"constraints/compute\.|orgpolicy|Constraint .* violated",
        "ask whoever keeps the organisation's policies to allow such a load balancer",
    ),
    Trouble(
        Cause.SUBNETS,
        r"(subnetwork|subnet).*(not ?found|does not exist|invalid)|resource\.subnetwork"
        r"|not in the same region",
        "name a subnet of the cluster's network in its region with --lb-subnet",
    ),
    Trouble(
        Cause.RIGHTS,
        r"Required '?[\w.]+'? permission|PERMISSION_DENIED|Error 403",
        "give GKE's service agent (container-engine-robot) back its role "
        "roles/container.serviceAgent; with a shared VPC also roles/compute.networkUser there",
    ),
    Trouble(
        Cause.NOT_UNDERSTOOD,
        r"Invalid value for field|invalid argument|Error 400",
        "correct what network.annotations say",
    ),
)


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
        troubles=TROUBLES,
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
