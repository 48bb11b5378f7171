"""Names that Oracle gives to labels and annotations in clusters.

https://docs.oracle.com/iaas/Content/ContEng/Tasks/contengcreatingnetworkloadbalancers.htm
"""

from __future__ import annotations

SHAPE = "node.kubernetes.io/instance-type"
# https://docs.oracle.com/iaas/Content/ContEng/Tasks/contengusingpreemptiblecapacity.htm
PREEMPTIBLE = "oci.oraclecloud.com/oke-is-preemptible"
LOAD_BALANCER_TYPE = "oci.oraclecloud.com/load-balancer-type"
NETWORK_LOAD_BALANCER = "nlb"
INTERNAL = "oci-network-load-balancer.oraclecloud.com/internal"
SUBNET = "oci-network-load-balancer.oraclecloud.com/subnet"
# Who opens the way from clients to nodes: the controller, in the security lists.
SECURITY_RULES = "oci.oraclecloud.com/security-rule-management-mode"
ALL_RULES = "All"
