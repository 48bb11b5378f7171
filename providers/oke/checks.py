"""Checks of Oracle's side: what would stop a setup, or make it less than it should be."""

from __future__ import annotations

from functools import partial

from anyscale_k8s_cli.checks import BoundCheck, Finding, Room, Status, passed, room
from anyscale_k8s_cli.provider import Cluster
from anyscale_k8s_cli.providers.oke import declared, rights
from anyscale_k8s_cli.providers.oke.discovery import OkeFacts
from anyscale_k8s_cli.providers.oke.oracle import Oracle
from anyscale_k8s_cli.providers.oke.sdk.clusters import GPU_PLUGIN


def checks(cluster: Cluster, oracle: Oracle) -> list[BoundCheck]:
    facts: OkeFacts = cluster.facts
    return [
        declared.OKE_GPU_ADDON.bind(partial(_addon, facts)),
        declared.OCI_PERMISSIONS.bind(partial(rights.to_set_up, oracle, cluster.account)),
        declared.OCI_LOAD_BALANCER_QUOTA.bind(
            partial(_load_balancer_quota, oracle, cluster.account)
        ),
    ]


def _load_balancer_quota(oracle: Oracle, compartment: str) -> Finding:
    found = oracle.network.balancer_room(compartment)
    if found is None:
        return Finding(Status.UNKNOWN, "Oracle does not tell, or you may not ask")
    used, limit = found
    return room(
        [Room(f"network load balancers of {oracle.region}", used, limit)],
        "ask for more on the page of limits, quotas and usage in Oracle's console",
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
