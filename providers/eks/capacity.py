"""How pods ask for on-demand or spot nodes, fit for the labels that the nodes have.

The operator's chart makes every pod demand `eks.amazonaws.com/capacityType`.
Only managed node groups set it, so on other nodes no pod would ever be placed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anyscale_k8s_cli.providers.eks import labels


def market_values(
    nodes: Sequence[Mapping[str, Any]], *, node_groups: bool, auto_mode: bool
) -> dict[str, Any]:
    """The chart's `workloads` values; empty where its defaults fit.

    Where there is no node yet, the cluster's managed node groups and Auto Mode
    say what nodes there will be.
    """
    managed = karpenter = 0
    for node in nodes:
        found = node.get("metadata", {}).get("labels") or {}
        managed += labels.CAPACITY_TYPE in found
        karpenter += labels.KARPENTER_CAPACITY_TYPE in found
    if not nodes:
        managed, karpenter = int(node_groups), int(auto_mode and not node_groups)
    total = max(len(nodes), 1)
    if managed == total:
        return {}
    if karpenter == total:
        return {"enableKarpenterSupport": True}
    return {"marketType": {"enableDefaults": False}}
