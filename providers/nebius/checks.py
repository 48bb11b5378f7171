"""Checks of the Nebius side: what would stop a setup, or make it less than it should be."""

from __future__ import annotations

from functools import partial

from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, passed
from anyscale_k8s_cli.provider import Cluster
from anyscale_k8s_cli.providers.nebius import declared
from anyscale_k8s_cli.providers.nebius.discovery import NebiusFacts


def checks(cluster: Cluster) -> list[BoundCheck]:
    facts: NebiusFacts = cluster.facts
    return [
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
        "--template-gpu-settings-drivers-preset cuda12.8, or bring drivers of your own",
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
