"""Checks of Oracle's side: what would stop a setup, or make it less than it should be."""

from __future__ import annotations

from functools import partial

from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, passed
from anyscale_k8s_cli.checks.room import Room, room
from anyscale_k8s_cli.provider import Cluster
from anyscale_k8s_cli.providers.oke import declared, rights
from anyscale_k8s_cli.providers.oke.discovery import OkeFacts
from anyscale_k8s_cli.providers.oke.oracle import Oracle
from anyscale_k8s_cli.providers.oke.sdk.clusters import GPU_PLUGIN
from anyscale_k8s_cli.spec import CloudSpec


def checks(spec: CloudSpec, cluster: Cluster, oracle: Oracle) -> list[BoundCheck]:
    facts: OkeFacts = cluster.facts
    public = spec.network.expose == "public"
    return [
        *(
            declared.OKE_SUBNET_NAMED.bind(partial(_subnet, oracle, facts, subnet, public=public))
            for subnet in spec.network.load_balancer_subnets
        ),
        declared.OKE_GPU_ADDON.bind(partial(_addon, facts)),
        declared.OCI_PERMISSIONS.bind(partial(rights.to_set_up, oracle, cluster.account)),
        declared.OCI_LOAD_BALANCER_QUOTA.bind_room(
            partial(_load_balancer_quota, oracle, cluster.account)
        ),
    ]


def _subnet(oracle: Oracle, facts: OkeFacts, subnet: str, *, public: bool) -> Finding:
    """Whether a load balancer of the cluster can stand in it. Rules are the controller's own."""
    found = oracle.network.subnet(subnet)
    if found is None:
        return Finding(
            Status.UNKNOWN,
            f"{oracle.region} has no subnet {subnet}, or none that you may see",
            fix="to be seen it needs a policy such as: Allow group <your group> to read subnets "
            "in compartment <that of the network>",
        )
    if facts.network and found.network != facts.network:
        why = f"the subnet {found.name} is of {found.network}, and the cluster of {facts.network}"
    elif found.state != "AVAILABLE":
        why = f"the subnet {found.name} is {found.state}"
    elif public and not found.public:
        why = f"the subnet {found.name} is private, and the load balancer is to be public"
    else:
        return passed(found.name)
    return Finding(
        Status.FAIL,
        why,
        fix=f"oci network subnet list --compartment-id {found.compartment} "
        f"--vcn-id {facts.network}\nand name one that fits with --lb-subnet",
    )


def _load_balancer_quota(oracle: Oracle, compartment: str, needed: int) -> Finding:
    found = oracle.network.balancer_room(compartment)
    if found is None:
        return Finding(Status.UNKNOWN, "Oracle does not tell, or you may not ask")
    used, limit = found
    return room(
        [Room(f"network load balancers of {oracle.region}", used, limit, needed)],
        "ask for more on the page Limits, Quotas and Usage in Oracle's console,\n"
        "or delete what nobody uses of these:\n"
        "oci nlb network-load-balancer list "
        f"--region {oracle.region} --compartment-id {compartment}",
    )


def _addon(facts: OkeFacts) -> Finding:
    with_gpus = [pool for pool in facts.pools if pool.gpu]
    if not with_gpus or facts.gpu_plugin:
        return passed(f"{len(with_gpus)} node pools with GPUs")
    return Finding(
        Status.WARN,
        f"the cluster has no add-on {GPU_PLUGIN}: setup installs NVIDIA's own plugin unless one "
        "is there",
        evidence=tuple(f"{pool.name}: {pool.shape}" for pool in with_gpus),
        fix=f"oci ce cluster install-addon --addon-name {GPU_PLUGIN} --cluster-id {facts.id}",
    )
