"""Checks of the Nebius side: what would stop a setup, or make it less than it should be."""

from __future__ import annotations

from functools import partial

from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, passed
from anyscale_k8s_cli.checks.room import Room, room
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.provider import Cluster, Verb
from anyscale_k8s_cli.providers.nebius import declared, rights
from anyscale_k8s_cli.providers.nebius.discovery import NebiusFacts
from anyscale_k8s_cli.providers.nebius.nebius import Nebius
from anyscale_k8s_cli.spec import CloudSpec

# Quotas of a tenant in a region, by Nebius' names.
BUCKETS, PUBLIC_ADDRESSES = "storage.bucket.count", "vpc.ipv4-address.public.count"


def checks(spec: CloudSpec, cluster: Cluster, nebius: Nebius) -> list[BoundCheck]:
    facts: NebiusFacts = cluster.facts
    quota = partial(_quota, nebius, cluster.region)
    public = [declared.NEBIUS_ADDRESS_QUOTA.bind_room(partial(quota, PUBLIC_ADDRESSES))]
    return [
        declared.NEBIUS_BUCKET_QUOTA.bind_room(partial(quota, BUCKETS)),
        *(public if spec.network.expose == "public" else []),
        declared.NEBIUS_PERMISSIONS.bind(partial(rights.permitted, nebius, Verb.SETUP)),
        declared.NEBIUS_GPU_DRIVERS.bind(partial(_drivers, facts)),
        declared.NEBIUS_GPU_CLAIMS.bind(partial(_claims, facts)),
    ]


def _drivers(facts: NebiusFacts) -> Finding:
    with_gpus = [group for group in facts.groups if group.gpu]
    without = [group for group in with_gpus if not group.drivers]
    if not without:
        return passed(f"{len(with_gpus)} node groups with GPUs")
    return Finding(
        Status.WARN,
        f"no GPU can be used on {', '.join(group.name for group in without)}: "
        "their image has no drivers",
        evidence=tuple(f"{group.name}: {group.platform} {group.preset}" for group in without),
        fix=f"nebius mk8s node-group update --id {without[0].id} "
        "--template-gpu-settings-drivers-preset cuda12.8\nor bring drivers of your own",
    )


def _claims(facts: NebiusFacts) -> Finding:
    claimed = [group for group in facts.groups if group.gpu and group.dra]
    if not claimed:
        return passed("by a device plugin")
    return Finding(
        Status.WARN,
        f"{', '.join(group.name for group in claimed)} have GPUs by claims (DRA) alone, and no "
        "device plugin",
        fix=f"nebius mk8s node-group update --id {claimed[0].id} --template-gpu-settings-dra=false",
    )


def _quota(nebius: Nebius, region: str, name: str, needed: int) -> Finding:
    try:
        found = nebius.quotas.room(nebius.iam.tenant(), region, name)
    except CloudFailure as failure:
        if failure.denied:
            return Finding(Status.UNKNOWN, f"you may not ask: {failure.cause}")
        raise
    if found is None:
        return Finding(Status.UNKNOWN, f"Nebius tells of no quota {name} in {region}")
    used, limit = found
    return room(
        [Room(f"{name} of {region}", used, limit, needed)],
        f"ask for more of {name} in {region} on the page Limits in Nebius' console"
        + (", or name a bucket with --bucket" if name == BUCKETS else ""),
    )
