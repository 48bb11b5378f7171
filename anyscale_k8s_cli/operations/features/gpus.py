"""Each kind of GPU that nodes or pools have: whether a workload that asks for one gets it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from anyscale_k8s_cli.addons.gpu import GpuPool, allocatable_gpus, has_gpu
from anyscale_k8s_cli.addons.instance_types import accelerator, gpu_selector, unsatisfied_of
from anyscale_k8s_cli.checks import Status, also, declared
from anyscale_k8s_cli.checks.nodes import Machines, labelled, selected_by
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.operations.features import (
    GPU,
    Answer,
    Feature,
    FeatureLine,
    Findings,
    no,
    unknown,
    works,
)

_INSTANCE_TYPE = "node.kubernetes.io/instance-type"
_AUTO = "--instance-types auto"


@dataclass(frozen=True)
class Kind:
    """A kind of GPU by the name that instance types ask for, with the nodes that have it.

    `pool` is one that would bring such nodes, where there is none now.
    """

    name: str
    nodes: tuple[Document, ...] = ()
    pool: GpuPool | None = None

    @property
    def feature(self) -> Feature:
        slug = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")
        return Feature(f"{GPU.name}-{slug}", f"GPU {self.name}", GPU.needs)


def gpus(machines: Machines, findings: Findings, again: str) -> list[FeatureLine]:
    """A line for each kind; one that says so where there is none."""
    found = kinds(machines)
    if not found:
        nothing = no("no node and no pool has a GPU", "add a pool of nodes with GPUs")
        return [GPU.judged(findings, lambda: nothing)]
    judge = _Judge(machines, findings, again)
    return [kind.feature.judged(findings, partial(judge, kind)) for kind in found]


def kinds(machines: Machines) -> list[Kind]:
    """Those of nodes first, then what only pools without a node have; by their names."""
    found: dict[str, tuple[Document, ...]] = {}
    for node in machines.nodes:
        if has_gpu(node):
            name = _named(node["metadata"].get("labels") or {}, machines.values)
            found[name] = (*found.get(name, ()), node)
    to_come: dict[str, GpuPool] = {}
    machine = {pool.name: pool.instance_types for pool in machines.cluster.node_pools}
    for pool in machines.pools:
        # What has no machines is no pool, but the platform's word for nodes to come.
        if not pool.nodes and machine.get(pool.name):
            labels = {_INSTANCE_TYPE: machine[pool.name][0], **pool.labels}
            to_come.setdefault(_named(labels, machines.values), pool)
    return [
        *(Kind(name, found[name]) for name in sorted(found)),
        *(Kind(name, pool=to_come[name]) for name in sorted(set(to_come) - set(found))),
    ]


@dataclass(frozen=True)
class _Judge:
    machines: Machines
    findings: Findings
    again: str

    def __call__(self, kind: Kind) -> Answer:
        if kind.nodes and not any(map(allocatable_gpus, kind.nodes)):
            names = ", ".join(node["metadata"]["name"] for node in kind.nodes)
            plugin = self.findings[declared.GPU_PLUGIN.code]
            return no(f"{names}: no GPU can be asked for", plugin.fix or self.again)
        found = labelled(kind.nodes, self.machines.values, self.again)
        if found.status is not Status.PASS:
            return no(found.detail, found.fix)
        types = _asking(self.machines.types or {}, kind.name)
        if not types:
            return no("no instance type asks for one", also(self.again, _AUTO))
        return self._of_pool(kind.pool, types) if kind.pool else self._of_nodes(kind, types)

    def _of_nodes(self, kind: Kind, types: Mapping[str, Any]) -> Answer:
        fitting = sorted(set(types) - set(unsatisfied_of(types, kind.nodes)))
        if not fitting:
            return no(f"no node has room for {', '.join(sorted(types))}", also(self.again, _AUTO))
        offered = sum(map(allocatable_gpus, kind.nodes))
        names = ", ".join(node["metadata"]["name"] for node in kind.nodes)
        return works(f"{offered} on {names}, by instance type {', '.join(fitting)}")

    def _of_pool(self, pool: GpuPool, types: Mapping[str, Any]) -> Answer:
        key, names = selected_by(self.machines.values)
        value = pool.labels.get(key)
        if value is None:
            return unknown(
                f"pool {pool.name} has no node now, and whether its nodes carry {key} is not known",
                "start a workload that asks for one",
            )
        if value not in names:
            return no(
                f"pool {pool.name}: {key}={value} is not in the operator's table",
                also(self.again, _AUTO),
            )
        return works(f"pool {pool.name}, which has no node now, by {', '.join(sorted(types))}")


def _named(labels: Mapping[str, str], values: Mapping[str, Any]) -> str:
    """As the operator calls it, else as it would be called."""
    key, names = selected_by(values)
    value = labels.get(key) or ""
    if value in names:
        return names[value]
    label, value = gpu_selector(labels)
    # Of most clouds the name of a machine says nothing of its GPU.
    speaks = label != _INSTANCE_TYPE or "gpu" in value.lower()
    return accelerator(value) if speaks else value


def _asking(types: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Those for a kind of GPU, without its name: its nodes are known already."""
    found = {}
    for key, item in types.items():
        resources = dict(item.get("resources") or {})
        # The older form has the name in a resource of its own.
        asked = [*(resources.pop("accelerators", None) or ()), *map(_older, resources)]
        if name in asked and "CPU" in resources:
            found[key] = {**item, "resources": resources}
    return found


def _older(resource: str) -> str:
    return resource.removeprefix("accelerator_type:")
