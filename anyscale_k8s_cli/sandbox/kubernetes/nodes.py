"""Nodes as a world is seeded with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from anyscale_k8s_cli.sandbox.kubernetes.objects import timestamp
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object

_ORDINARY = {"cpu": "8", "memory": "32Gi", "ephemeral-storage": "100Gi", "pods": "110"}


def node(
    name: str,
    *,
    labels: Mapping[str, str] | None = None,
    taints: Sequence[Object] = (),
    allocatable: Mapping[str, str] | None = None,
    provider_id: str = "",
    version: str = "1.33",
) -> Object:
    """A Ready node. `allocatable` adds to or replaces the ordinary 8 CPUs and 32 GiB.

    Store it with `Write(with_status=True)`.
    """
    amounts = {**_ORDINARY, **(allocatable or {})}
    now = timestamp()
    spec: Object = {"taints": [dict(taint) for taint in taints]} if taints else {}
    if provider_id:
        spec["providerID"] = provider_id
    return {
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                **(labels or {}),
            },
        },
        "spec": spec,
        "status": {
            "addresses": [{"type": "Hostname", "address": name}],
            "allocatable": amounts,
            "capacity": dict(amounts),
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "KubeletReady",
                    "message": "kubelet is posting ready status",
                    "lastHeartbeatTime": now,
                    "lastTransitionTime": now,
                }
            ],
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": "",
                "containerRuntimeVersion": "containerd://2.0.0",
                "kernelVersion": "6.1.0",
                "kubeProxyVersion": f"v{version}.0",
                "kubeletVersion": f"v{version}.0",
                "machineID": "",
                "operatingSystem": "linux",
                "osImage": "stand-in",
                "systemUUID": "",
            },
        },
    }
