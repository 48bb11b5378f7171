"""What the gateway's Service must carry: a network load balancer, which is one of layer 4."""

from __future__ import annotations

from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.providers.oke import labels
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.troubles import Cause, Trouble

# What Oracle's cloud controller says when it cannot. The first that fits counts.
TROUBLES = (
    Trouble(
        Cause.QUOTA,
        r"LimitExceeded|QuotaExceeded|service limits? (were|was) exceeded",
        "have the limit that it names raised, or delete load balancers that nobody uses",
    ),
    Trouble(
        Cause.SUBNETS,
        r"no subnets? (configured|provided|found|specified)|must be specified for creating"
        r"|Subnet.*(not found|is private|is not public)|InvalidSubnet|not in (the )?(same )?VCN",
        "name a subnet of the cluster's network with --lb-subnet: a public one, or any with "
        "--expose internal",
    ),
    Trouble(
        Cause.ADDRESSES,
        r"no (available|free) (private )?IPs?|insufficient.*IP|CIDR.*exhausted",
        "free addresses in the subnet, or name another with --lb-subnet",
    ),
    Trouble(
        Cause.RIGHTS,
        r"NotAuthorizedOrNotFound|NotAuthorized|Authorization failed",
        "let the cluster use the network: a policy such as 'allow any-user to manage "
        "load-balancers in compartment NAME where request.principal.type = cluster', the same for "
        "network-load-balancers, and to use virtual-network-family; or correct the subnet's OCID",
    ),
    Trouble(
        Cause.NOT_UNDERSTOOD,
        r"InvalidParameter|CannotParseRequest|invalid (value|annotation)|is not supported",
        "correct what network.annotations say",
    ),
)


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
        troubles=TROUBLES,
    )
