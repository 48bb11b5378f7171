"""How the gateway's Service asks for a load balancer: Nebius serves it, at an IP address."""

from __future__ import annotations

from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.providers.nebius import labels
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.troubles import Cause, Trouble

# What Nebius says when it cannot. The first that fits counts.
TROUBLES = (
    Trouble(
        Cause.QUOTA,
        r"RESOURCE_EXHAUSTED|ResourceExhausted|quota|public[- ]?ip.*limit",
        "have the quota of public addresses raised in the project's region, or let go of addresses "
        "that nobody uses",
    ),
    Trouble(
        Cause.ADDRESSES,
        r"no (available|free) (ip )?address|pool.*exhausted|FAILED_PRECONDITION.*allocation",
        "free addresses in the subnet's pool, or add a pool to it",
    ),
    Trouble(
        Cause.RIGHTS,
        r"PERMISSION_DENIED|PermissionDenied",
        "give the cluster's service account its role in the project back",
    ),
    Trouble(
        Cause.NOT_UNDERSTOOD,
        r"INVALID_ARGUMENT|InvalidArgument",
        "correct what network.annotations say",
    ),
)


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
        troubles=TROUBLES,
    )
