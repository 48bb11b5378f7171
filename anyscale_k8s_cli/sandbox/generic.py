"""The platform without a cloud: a cluster in somebody's own rooms, and an S3 store beside it.

Its pods reach the other clouds, too: whoever has a key there can have his bucket there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from anyscale_k8s_cli.sandbox.clusters import add_variables, cluster_stand_in
from anyscale_k8s_cli.sandbox.controlplane.operators import IdentityVerifier
from anyscale_k8s_cli.sandbox.controlplane.storage import StorageSigner
from anyscale_k8s_cli.sandbox.issuers import PublishedIssuer
from anyscale_k8s_cli.sandbox.kubernetes.loadbalancers import AddressPool
from anyscale_k8s_cli.sandbox.kubernetes.standin import KubernetesStandIn
from anyscale_k8s_cli.sandbox.machines import Machine, System, Taint, node_status
from anyscale_k8s_cli.sandbox.objectstore.standin import ObjectStoreStandIn
from anyscale_k8s_cli.sandbox.objectstore.state import ObjectStore, Quirk
from anyscale_k8s_cli.sandbox.platforms import Http
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from anyscale_k8s_cli.sandbox.world import GenericWorld, World

# What a cluster says that nobody has told otherwise; no cloud can read it.
_INTERNAL_ISSUER = "https://kubernetes.default.svc.cluster.local"
_SYSTEM = System(
    kubelet="v1.33.4",
    image="Ubuntu 24.04.3 LTS",
    kernel="6.8.0-79-generic",
    runtime="containerd://1.7.27",
    disk=959786032,
    free_disk=884549603328,
    kept_cpu=200,
    free_memory=0.97,
)
_CONTROL_PLANE = Machine(8, 32)
_WORKER = Machine(32, 128)
_GPU_WORKER = Machine(64, 512, 2)
_GPU_LABELS = {
    "nvidia.com/gpu.present": "true",
    "nvidia.com/gpu.product": "NVIDIA-L40S",
    "nvidia.com/gpu.count": "2",
}


class GenericPlatform:
    """One cluster and one store. `key` is what the store's owner was given.

    `clouds` are the variables that say to pods where clouds are, which in life names do.
    """

    def __init__(
        self,
        world: World,
        wire: Wire,
        authority: Authority,
        clouds: Callable[[], Mapping[str, str]],
    ) -> None:
        knobs = world.generic
        self._knobs = knobs
        self.store = ObjectStore(
            region=knobs.storage_region, quirks=frozenset(map(Quirk, knobs.quirks))
        )
        self.object_store = ObjectStoreStandIn(wire, self.store, "onprem-store")
        self.key = self.store.issue()
        self._issuer = PublishedIssuer(authority) if knobs.public_issuer else None

        def admit(pod: dict[str, Any], _account: dict[str, Any] | None) -> None:
            add_variables(pod, clouds())

        self.cluster = cluster_stand_in(
            wire,
            authority,
            world,
            pod_admission=[admit],
            name=f"onprem-{knobs.cluster}",
            version=knobs.version,
            load_balancers=AddressPool("198.51.100."),
            issuer=self._issuer.url if self._issuer else _INTERNAL_ISSUER,
            nodes=nodes(knobs),
        )

    @property
    def contexts(self) -> Mapping[str, KubernetesStandIn]:
        """The cluster by the name that its owner gave to the context of his kubeconfig."""
        return {self._knobs.cluster: self.cluster}

    @property
    def clusters(self) -> Mapping[str, KubernetesStandIn]:
        return {f"generic/{self._knobs.cluster}": self.cluster}

    async def start(self) -> None:
        if self._issuer is not None:
            self._issuer.start(await asyncio.to_thread(self.cluster.issuer_keys))
        await self.cluster.start()
        await self.object_store.start()

    async def stop(self) -> None:
        if self._issuer is not None:
            self._issuer.stop()
        await self.cluster.stop()
        await self.object_store.stop()

    def verifiers(self, http: Http) -> Mapping[str, IdentityVerifier]:
        """Nobody vouches for anybody here: the operator has a token."""
        return {}

    def signers(self, http: Http) -> Mapping[str, StorageSigner]:
        """S3 is signed for wherever it is."""
        return {}

    def environment(self, folder: Path) -> dict[str, str]:
        """The store's settings and keys; the cluster is found by its context."""
        return {
            "ANYSCALE_K8S_STORAGE_ENDPOINT": self.object_store.url,
            "ANYSCALE_K8S_STORAGE_REGION": self.store.region,
            "ANYSCALE_K8S_STORAGE_ACCESS_KEY_ID": self.key.id,
            "ANYSCALE_K8S_STORAGE_SECRET_ACCESS_KEY": self.key.secret,
        }

    def addresses(self) -> dict[str, str]:
        return {
            "onprem-store": self.object_store.url,
            f"kubernetes/generic/{self._knobs.cluster}": self.cluster.url,
        }

    def snapshot(self) -> dict[str, Any]:
        return {"onprem_store": self.store.snapshot()}


def nodes(world: GenericWorld) -> list[dict[str, Any]]:
    """Machines that somebody bought: a control plane, workers, and one with GPUs."""
    found = [
        _node(world, "control-1", 11, _CONTROL_PLANE, {"node-role.kubernetes.io/control-plane": ""})
    ]
    found += [_node(world, f"worker-{n}", 20 + n, _WORKER, {}) for n in (1, 2, 3)]
    if world.gpu_nodes:
        found.append(_node(world, "gpu-1", 31, _GPU_WORKER, _GPU_LABELS))
    return found


def _node(
    world: GenericWorld, name: str, address: int, machine: Machine, labels: Mapping[str, str]
) -> dict[str, Any]:
    taints = []
    if machine is _CONTROL_PLANE:
        taints.append(Taint("node-role.kubernetes.io/control-plane", ""))
    if machine.gpus:
        taints.append(Taint("nvidia.com/gpu", "present"))
    full = f"{name}.{world.cluster}.internal"
    common = {
        "beta.kubernetes.io/arch": machine.arch,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine.arch,
        "kubernetes.io/hostname": full,
        "kubernetes.io/os": "linux",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": full, "labels": {**common, **labels}},
        "spec": {"taints": [taint.as_json() for taint in taints]},
        "status": node_status(machine, _SYSTEM, name=full, address=f"10.20.0.{address}"),
    }
