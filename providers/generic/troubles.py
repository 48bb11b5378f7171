"""What the usual load balancers of clusters without a cloud say when they cannot."""

from __future__ import annotations

from anyscale_k8s_cli.troubles import Cause, Trouble

# MetalLB's and Cilium's words. The first that fits counts.
TROUBLES = (
    Trouble(
        Cause.ADDRESSES,
        r"no available IPs|AllocationFailed|out_of_ips|no_pool|no (pool|addresses) available",
        "give the load balancer's pool an address that is free: an IPAddressPool of MetalLB's, a "
        "CiliumLoadBalancerIPPool",
    ),
    Trouble(
        Cause.NOT_UNDERSTOOD,
        r"unknown pool|is not allowed|not compatible|invalid",
        "correct what network.annotations say",
    ),
)
