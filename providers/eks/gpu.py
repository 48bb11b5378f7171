"""Helm values of the NVIDIA device plugin on EKS: where it runs, and whether it names GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anyscale_k8s_cli.provider import NodePool
from anyscale_k8s_cli.providers.eks import labels

_TOLERATED = (
    "nvidia.com/gpu",
    "node.anyscale.com/capacity-type",
    "node.anyscale.com/accelerator-type",
)


def plugin_values(node_pools: Sequence[NodePool]) -> dict[str, Any]:
    """The plugin for the GPU node groups that have none.

    Pods are placed by the GPU's product name, which a label of the node group
    says, or GPU feature discovery finds out. The latter must then run where the
    label is not yet: so nodes are chosen by their group and not by that label.
    """
    without = [pool for pool in node_pools if pool.gpu and not pool.gpu_plugin_owner]
    tolerations = [{"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in _TOLERATED]
    if without:
        names = sorted(pool.name for pool in without)
        expression = {"key": labels.NODE_GROUP, "operator": "In", "values": names}
        labelled = all(labels.GPU_PRODUCT in pool.labels for pool in without)
    else:
        # Nodes of other makers: theirs to label.
        expression = {"key": labels.GPU_PRODUCT, "operator": "Exists"}
        labelled = True
    values: dict[str, Any] = {
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [expression]}]
                }
            }
        },
        "tolerations": tolerations,
    }
    if not labelled:
        values["gfd"] = {"enabled": True}
        values["nfd"] = {"worker": {"tolerations": tolerations}}
    return values
