"""NVIDIA's device plugin and GPU feature discovery: what `…/k8s-device-plugin` does.

The real plugin tells the kubelet, which writes the node's status, and takes the
devices back when the plugin is gone, its rights with it. So this image speaks with
a kubelet's token. What a node has is told by its labels, as a world seeds them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from anyscale_k8s_cli.sandbox.kubernetes.runtime import Pod
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.workloads.api import ApiFailure, PodApi

Object = dict[str, Any]

_IMAGE = "k8s-device-plugin"
RESOURCE = "nvidia.com/gpu"
_COUNT = "nvidia.com/gpu.count"
_INSTANCE_TYPE = "node.kubernetes.io/instance-type"
_TOLD_BY = (
    "nvidia.com/gpu.product",
    "cloud.google.com/gke-accelerator",
    "gpu.nvidia.com/model",
    _INSTANCE_TYPE,
)

# GPUs of the instance types that the sandbox's worlds use: count, product, memory in MiB.
_INSTANCE_TYPES = {
    "g4dn.xlarge": (1, "Tesla-T4", 15360),
    "g4dn.12xlarge": (4, "Tesla-T4", 15360),
    "g5.xlarge": (1, "NVIDIA-A10G", 23028),
    "g5.12xlarge": (4, "NVIDIA-A10G", 23028),
    "g6.xlarge": (1, "NVIDIA-L4", 23034),
    "p4d.24xlarge": (8, "NVIDIA-A100-SXM4-40GB", 40960),
    "p5.48xlarge": (8, "NVIDIA-H100-80GB-HBM3", 81559),
    "Standard_NC4as_T4_v3": (1, "Tesla-T4", 15360),
    "Standard_NC64as_T4_v3": (4, "Tesla-T4", 15360),
    "Standard_NC24ads_A100_v4": (1, "NVIDIA-A100-80GB-PCIe", 81920),
    "Standard_NC40ads_H100_v5": (1, "NVIDIA-H100-NVL", 95830),
    "Standard_ND96isr_H100_v5": (8, "NVIDIA-H100-80GB-HBM3", 81559),
}


@dataclass(frozen=True)
class DevicePlugin:
    """Two programs in one image: the plugin, and feature discovery, which sets labels.

    `kubelet_token` must be allowed to write nodes and their status.
    """

    authority: Authority
    kubelet_token: str

    def matches(self, image: str) -> bool:
        return image.rsplit("/", 1)[-1].partition("@")[0].partition(":")[0] == _IMAGE

    async def run(self, pod: Pod) -> int:
        container = next(
            item for item in pod.manifest["spec"]["containers"] if self.matches(item["image"])
        )
        node = pod.environment(container["name"])["NODE_NAME"]
        discovery = "gpu-feature-discovery" in (container.get("command") or ())
        async with PodApi(pod, self.authority, self.kubelet_token) as api:
            found = await api.request("GET", f"/api/v1/nodes/{node}")
            change = _labels(found) if discovery else _allocatable(found)
            if not change:
                pod.log("no devices found: waiting indefinitely")
            await pod.set_ready(True)
            try:
                if change:
                    await _write(api, node, change)
                await asyncio.get_running_loop().create_future()
            finally:
                # Labels stay behind when discovery goes, as in life; the resource goes.
                if change and not discovery:
                    await _withdraw(pod, api, node)
        return 0


def product(labels: Mapping[str, str]) -> tuple[str, int]:
    """What the GPUs of a node with these labels are really called, and their MiB of memory.

    The machine tells, whatever other labels say; one that is not known is what they say.
    """
    known = _INSTANCE_TYPES.get(labels.get(_INSTANCE_TYPE, ""))
    if known is not None:
        return known[1].replace("-", " "), known[2]
    told = next((labels[key] for key in _TOLD_BY if key in labels), "GPU")
    return told.replace("-", " "), 0


def gpus(labels: dict[str, str]) -> int:
    """How many GPUs a node with these labels has."""
    if labels.get(_COUNT, "").isdigit():
        return int(labels[_COUNT])
    return _INSTANCE_TYPES.get(labels.get(_INSTANCE_TYPE, ""), (0, "", 0))[0]


def _allocatable(node: Object) -> Object:
    count = gpus(node["metadata"].get("labels") or {})
    if not count:
        return {}
    amounts = {RESOURCE: str(count)}
    return {"status": {"allocatable": amounts, "capacity": amounts}}


def _labels(node: Object) -> Object:
    labels = node["metadata"].get("labels") or {}
    known = _INSTANCE_TYPES.get(labels.get(_INSTANCE_TYPE, ""))
    if known is None:
        return {}
    count, product, memory = known
    found = {
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": product,
        "nvidia.com/gpu.memory": str(memory),
        _COUNT: str(count),
    }
    return {"metadata": {"labels": found}}


async def _write(api: PodApi, node: str, change: Object) -> None:
    path = f"/api/v1/nodes/{node}"
    await api.merge(f"{path}/status" if "status" in change else path, change)


async def _withdraw(pod: Pod, api: PodApi, node: str) -> None:
    nothing = {RESOURCE: "0"}
    try:
        await _write(api, node, {"status": {"allocatable": nothing}})
    except (ApiFailure, aiohttp.ClientError) as failure:
        # The node or the whole cluster may be going, too.
        pod.log(f"cannot withdraw the devices: {failure}")
