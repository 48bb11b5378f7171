"""Machines with GPUs of NVIDIA's, and the device plugin for those that have none."""

from __future__ import annotations

import re
from typing import Any

from anyscale_k8s_cli.providers.aks import labels

# https://learn.microsoft.com/azure/virtual-machines/sizes/overview#gpu-accelerated: the N
# family, without FPGAs (NP) and AMD's (NG, the fourth NV, MI300X).
_NVIDIA = re.compile(r"standard_n[cdv]\d", re.IGNORECASE)
_AMD = re.compile(r"standard_nv\d+as_v4|.*_mi300x_.*", re.IGNORECASE)
_PRODUCT = re.compile(r"_(T4|A10|A100|H100)(?:_|$)", re.IGNORECASE)
_TOLERATED = (
    "nvidia.com/gpu",
    "node.anyscale.com/capacity-type",
    "node.anyscale.com/accelerator-type",
    labels.PRIORITY,
)


def has_gpu(vm_size: str) -> bool:
    """Whether a machine of that size has GPUs that the plugin serves."""
    return bool(_NVIDIA.match(vm_size)) and not _AMD.match(vm_size)


def product(vm_size: str) -> str:
    """The name by which the operator's chart places pods on that machine's GPUs on Azure."""
    found = _PRODUCT.search(vm_size)
    return f"NVIDIA-{found[1].upper()}" if found else "NAME"


def plugin_values() -> dict[str, Any]:
    """AKS labels all nodes with GPUs itself, also before the plugin is there."""
    expression = {"key": labels.ACCELERATOR, "operator": "Exists"}
    return {
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [expression]}]
                }
            }
        },
        "tolerations": [
            {"key": key, "operator": "Exists", "effect": "NoSchedule"} for key in _TOLERATED
        ],
    }
