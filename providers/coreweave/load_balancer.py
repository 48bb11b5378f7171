"""How the gateway's Service asks for a load balancer: CoreWeave serves it, at an IP address."""

from __future__ import annotations

from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.providers.coreweave import labels
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.troubles import Cause, Trouble

# What CoreWeave says when it cannot. The first that fits counts.
TROUBLES = (
    Trouble(
        Cause.ADDRESSES,
        r"no (available|free) (ip|address)|AllocationFailed|pool.*exhausted|FailedAllocat",
        "let go of public addresses that nobody uses, or ask CoreWeave for more",
    ),
    Trouble(
        Cause.NOT_UNDERSTOOD,
        r"unknown (address )?(pool|type)|invalid",
        "correct what network.annotations say",
    ),
)


def load_balancer(spec: CloudSpec) -> LoadBalancer:
    """Internal ones need no annotation: without one the address is private."""
    network = spec.network
    public = network.expose != "internal"
    own = {labels.LOAD_BALANCER_TYPE: labels.PUBLIC} if public else {}
    return LoadBalancer(
        served_by="CoreWeave",
        annotations={**own, **network.annotations},
        decisive=(labels.LOAD_BALANCER_TYPE,),
        source_ranges=network.allow_cidrs,
        troubles=TROUBLES,
    )
