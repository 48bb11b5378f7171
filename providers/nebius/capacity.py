"""Instance types of Nebius': each is a platform with a preset, as node groups have them.

What a node calls its instance type is the platform alone, so pods are bound to the
preset as well. Groups without a node now have theirs too: a pod is what brings one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from anyscale_k8s_cli.providers.nebius import labels
from anyscale_k8s_cli.providers.nebius.sdk.clusters import NodeGroup

_PRESET = re.compile(r"(?:(\d+)gpu-)?(\d+)vcpu-(\d+)gb")
_GPU_PLATFORM = re.compile(r"gpu-([a-z0-9]+)(-.*)?")
# What agents on every node leave for pods.
_SHARE = 9, 10
# Taints that pods of the operator's chart tolerate anyway.
_TOLERATED = "node.anyscale.com/"


def values(groups: Iterable[NodeGroup]) -> dict[str, Any]:
    """The chart's `workloads` values: a type for each kind of machine, and how GPUs are found."""
    types: dict[str, Any] = {}
    accelerators: dict[str, str] = {}
    for group in groups:
        made = _type(group)
        if made is None or not group.most:
            continue
        types[f"{group.platform}-{group.preset}"] = made
        if name := accelerator(group.platform):
            accelerators[name] = group.platform
    found: dict[str, Any] = {"instanceTypes": {"additional": types}} if types else {}
    if accelerators:
        # A platform has GPUs of one kind.
        found["accelerator"] = {
            "customNodeSelectorKey": labels.PLATFORM,
            "nodeSelectors": {"enableDefaults": False, "additional": accelerators},
        }
    return {"workloads": found} if found else {}


def accelerator(platform: str) -> str:
    """Anyscale's name for the GPUs of a platform (`gpu-h100-sxm` has H100); empty for none."""
    found = _GPU_PLATFORM.fullmatch(platform)
    return found[1].upper() if found else ""


def _type(group: NodeGroup) -> dict[str, Any] | None:
    """What a node of the group has for Ray; None for a preset of another form."""
    preset = _PRESET.fullmatch(group.preset)
    if preset is None:
        return None
    part, whole = _SHARE
    resources: dict[str, Any] = {
        "CPU": max(int(preset[2]) * part // whole, 1),
        "memory": f"{max(int(preset[3]) * part // whole, 1)}Gi",
    }
    if preset[1]:
        resources |= {"GPU": int(preset[1]), "accelerators": [accelerator(group.platform)]}
    made: dict[str, Any] = {
        "resources": resources,
        "nodeSelector": {labels.PLATFORM: group.platform, labels.PRESET: group.preset},
    }
    tolerations = [
        {
            "key": taint["key"],
            "operator": "Equal",
            "value": taint["value"],
            "effect": taint["effect"],
        }
        for taint in group.taints
        if taint["effect"] in ("NoSchedule", "NoExecute")
        and not taint["key"].startswith(_TOLERATED)
    ]
    if tolerations:
        made["tolerations"] = tolerations
    return made
