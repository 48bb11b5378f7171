"""Nodes that the platform may take away: whether workloads that ask for spot get to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.abilities import MarksSpot
from anyscale_k8s_cli.checks import also
from anyscale_k8s_cli.checks.nodes import Machines
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.operations.features import Answer, no, unknown, works
from anyscale_k8s_cli.provider import NodePool, Provider

# https://github.com/anyscale/helm-charts: the label that pods of market type SPOT demand, by
# `global.cloudProvider`. Elsewhere they demand none, and get to nodes with the chart's taint.
_DEMANDED: Mapping[str, tuple[str, str]] = {
    "aws": ("eks.amazonaws.com/capacityType", "SPOT"),
    "gcp": ("cloud.google.com/gke-spot", "true"),
    "azure": ("kubernetes.azure.com/scalesetpriority", "spot"),
}
_KARPENTER = ("karpenter.sh/capacity-type", "spot")
_TAINT = ("node.anyscale.com/capacity-type", "SPOT")
# Taints that such pods bear anyway: the chart's, those of a node's own state, and that of GPUs,
# which Kubernetes lets pods with GPUs bear.
_BORNE = (
    "node.anyscale.com/",
    "node.kubernetes.io/",
    "node.cloudprovider.kubernetes.io/",
    "nvidia.com/gpu",
    "kubernetes.azure.com/scalesetpriority",
)


def spot(machines: Machines, provider: Provider, again: str) -> Answer:
    """By the nodes that are marked for it, else by pools that would bring such."""
    marks = provider.spot_labels if isinstance(provider, MarksSpot) else {}
    nodes = [node for node in machines.nodes if _marked(node, marks)]
    pools = [pool for pool in machines.cluster.node_pools if pool.spot or _tainted(pool.taints)]
    if not nodes and not pools:
        return no("no node and no pool is of spot capacity", "add a pool of spot nodes")
    workloads = machines.values.get("workloads") or {}
    told = workloads.get("marketType") or {}
    if told.get("additional"):
        return unknown(
            "your own market types (workloads.marketType.additional) are not judged here",
            "start a workload that asks for spot",
        )
    if not told.get("enableDefaults", True):
        return no(
            "the operator tells spot from other nodes by no label, since not all nodes have one",
            f"give all nodes the label that the platform's own pools have, then {again}",
        )
    platform = str((machines.values.get("global") or {}).get("cloudProvider") or "")
    karpenter = platform == "aws" and workloads.get("enableKarpenterSupport")
    market = _Market(
        _KARPENTER if karpenter else _DEMANDED.get(platform),
        frozenset(_tolerated(machines.types or {})),
        marks,
        machines,
        again,
    )
    return market.of_nodes(nodes) if nodes else market.of_pools(pools)


@dataclass(frozen=True)
class _Market:
    """How pods get to spot nodes: the label that they demand, and the taints that they bear."""

    demanded: tuple[str, str] | None
    borne: frozenset[str]
    marks: Mapping[str, str]
    machines: Machines
    again: str

    def of_nodes(self, nodes: list[Document]) -> Answer:
        blocked = {node["metadata"]["name"]: self._in_the_way(node) for node in nodes}
        reached = [name for name, answer in blocked.items() if answer is None]
        first = next((answer for answer in blocked.values() if answer), None)
        if reached or first is None:
            return works(f"{', '.join(reached)}, by {self._way}")
        return first

    def of_pools(self, pools: list[NodePool]) -> Answer:
        """Where there is no node, what the platform puts on new ones is what it always does."""
        first = pools[0]
        for pool in pools:
            labelled = self.demanded and self.demanded[0] in {**self.marks, **pool.labels}
            if labelled or (not self.demanded and _tainted(pool.taints)):
                return works(f"pool {pool.name}, which has no node now, by {self._way}")
        if self.demanded:
            return unknown(
                f"pool {first.name} has no node now, and whether its nodes carry "
                f"{self.demanded[0]} is not known",
                "start a workload that asks for spot",
            )
        return no(
            f"pool {first.name} does not put the taint {_word(_TAINT)} on its nodes",
            f"give the pool the taint {_word(_TAINT)}:NoSchedule",
        )

    @property
    def _way(self) -> str:
        return _word(self.demanded) if self.demanded else f"the taint {_word(_TAINT)}"

    def _in_the_way(self, node: Document) -> Answer | None:
        name, labels = node["metadata"]["name"], node["metadata"].get("labels") or {}
        taints = node["spec"].get("taints") or ()
        if self.demanded and labels.get(self.demanded[0]) != self.demanded[1]:
            return no(f"{name} has no label {self._way}, which spot pods ask for", self.again)
        if not self.demanded and not _tainted(taints):
            mark = next(item for item in self.marks.items() if labels.get(item[0]) == item[1])
            kubectl = self.machines.kubernetes.access.kubectl
            return no(
                f"{name} has no taint {_word(_TAINT)}, by which spot pods get to it",
                kubectl(f"taint nodes -l {_word(mark)} {_word(_TAINT)}:NoSchedule"),
            )
        for taint in taints:
            key = str(taint.get("key"))
            blocks = taint.get("effect") in ("NoSchedule", "NoExecute")
            if blocks and key not in self.borne and not key.startswith(_BORNE):
                return no(
                    f"{name} has the taint {key}, which no instance type tolerates",
                    also(self.again, "--instance-types auto"),
                )
        return None


def _marked(node: Document, marks: Mapping[str, str]) -> bool:
    labels = node["metadata"].get("labels") or {}
    by_label = any(labels.get(key) == value for key, value in marks.items())
    return by_label or _tainted(node["spec"].get("taints") or ())


def _tainted(taints: Iterable[Mapping[str, Any]]) -> bool:
    return any((taint.get("key"), taint.get("value")) == _TAINT for taint in taints)


def _tolerated(types: Mapping[str, Any]) -> Iterable[str]:
    for item in types.values():
        for toleration in item.get("tolerations") or ():
            yield str(toleration.get("key") or "")


def _word(pair: tuple[str, str]) -> str:
    return "=".join(pair)
