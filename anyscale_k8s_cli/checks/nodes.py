"""Checks of the nodes against what the operator will ask of them: GPUs and instance types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import yaml

from anyscale_k8s_cli.addons.gpu import (
    PRODUCT_LABEL,
    GpuPool,
    allocatable_gpus,
    device_plugins,
    survey,
)
from anyscale_k8s_cli.addons.instance_types import unsatisfied_of
from anyscale_k8s_cli.addons.placement import kept_out
from anyscale_k8s_cli.addons.traces import GPU_PLUGIN_KEY, operator_key
from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, also, declared, passed
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.provider import Cluster

_TYPES = "anyscale.com/name=instance-types"
BY_NODES = "--instance-types auto"
# https://github.com/anyscale/helm-charts: by `global.cloudProvider` the label, and the values
# of it by the names that instance types ask for.
_CHARTS_OWN: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "aws": (
        PRODUCT_LABEL,
        {
            "V100": "Tesla-V100-SXM2-16GB",
            "T4": "Tesla-T4",
            "L4": "NVIDIA-L4",
            "A10G": "NVIDIA-A10G",
            "L40S": "NVIDIA-L40S",
            "A100-40G": "NVIDIA-A100-SXM4-40GB",
            "A100-80G": "NVIDIA-A100-SXM4-80GB",
            "H100": "NVIDIA-H100-80GB-HBM3",
        },
    ),
    "azure": (
        PRODUCT_LABEL,
        {"T4": "NVIDIA-T4", "A10": "NVIDIA-A10", "A100": "NVIDIA-A100", "H100": "NVIDIA-H100"},
    ),
    "gcp": (
        "cloud.google.com/gke-accelerator",
        {
            "T4": "nvidia-tesla-t4",
            "L4": "nvidia-l4",
            "A100-40G": "nvidia-tesla-a100",
            "A100-80G": "nvidia-a100-80gb",
            "H100": "nvidia-h100-80gb",
            "H100-MEGA": "nvidia-h100-mega-80gb",
            "RTX-PRO-6000": "nvidia-rtx-pro-6000",
        },
    ),
}


@dataclass(frozen=True)
class Machines:
    """Nodes and pools that are there, and what the operator was told of them; each read once.

    `values` are the operator's Helm values, which say by which label GPUs are asked for.
    """

    kubernetes: Kubernetes
    cluster: Cluster
    nodes: Sequence[Document]
    namespace: str
    values: Mapping[str, Any]

    @cached_property
    def pools(self) -> tuple[GpuPool, ...]:
        """Those with GPUs. Of nodes that are wanted and not there yet nothing can be said."""
        there = [replace(pool, size=0) for pool in self.cluster.node_pools]
        found = survey(there, self.nodes, [])
        return survey(there, self.nodes, device_plugins(self.kubernetes)) if found else ()

    @cached_property
    def types(self) -> Mapping[str, Any] | None:
        """The instance types that the operator offers now, by name; None without its table."""
        maps = self.kubernetes.list("v1", "ConfigMap", self.namespace, label_selector=_TYPES)
        found: dict[str, Any] = {}
        for item in maps:
            found |= yaml.safe_load((item.get("data") or {}).get("instance_types.yaml") or "") or {}
        return found if maps else None


def node_checks(machines: Machines, again: str) -> tuple[BoundCheck, ...]:
    """`again` is the command that sets the cloud up once more."""
    nodes = machines.nodes
    # Types that are made of the nodes change with them.
    release = (operator_key(machines.namespace),)
    plugin = (GPU_PLUGIN_KEY, *release)
    return (
        declared.GPU_PLUGIN.bind(lambda: offered(machines.pools, again), plugin),
        declared.GPU_LABELS.bind(lambda: labelled(nodes, machines.values, again), release),
        declared.OPERATOR_TYPES.bind(lambda: table(machines.types, again), release),
        declared.INSTANCE_TYPES_FIT.bind(
            lambda: types_fit(machines.types, nodes, machines.values, again), release
        ),
    )


def offered(pools: Sequence[GpuPool], again: str = "") -> Finding:
    """Whether the nodes with GPUs offer them."""
    if not pools:
        return passed("no node has a GPU")
    evidence = tuple(map(str, pools))
    twice = next((pool for pool in pools if pool.twice), None)
    if twice is not None:
        return Finding(
            Status.FAIL,
            f"{twice.name}: two device plugins serve the same nodes, this tool's and that of "
            f"{twice.plugin_owner}",
            evidence,
            f"remove that of {twice.plugin_owner}; this tool's serves all its clouds in the "
            "cluster, and goes with the last of them",
        )
    idle = [pool for pool in pools if pool.nodes and not pool.allocatable]
    if not idle:
        return Finding(
            Status.PASS,
            f"{sum(pool.allocatable for pool in pools)} GPUs",
            evidence,
        )
    first = idle[0]
    if not first.plugin_owner:
        return Finding(
            Status.FAIL,
            f"{first.name}: no GPU can be asked for, and no device plugin is there",
            evidence,
            again,
        )
    return Finding(
        Status.FAIL,
        f"{first.name}: no GPU can be asked for, although {first.plugin_owner} brings the "
        "device plugin",
        evidence,
        "see the log of the plugin's pod on one of these nodes; a driver that is missing or "
        "does not fit is its usual complaint",
    )


def labelled(nodes: Sequence[Document], values: Mapping[str, Any], again: str = "") -> Finding:
    """Whether each node with GPUs is found by a name in the operator's table."""
    with_gpus = [node for node in nodes if allocatable_gpus(node)]
    if not with_gpus:
        return passed("no node has a GPU")
    key, table = selected_by(values)
    strange = [node for node in with_gpus if labels_of(node).get(key) not in table]
    if strange:
        return _unlabelled(strange, f"no {key} that is in the operator's table", again)
    return passed(f"{len(with_gpus)} nodes, by {key}")


def selected_by(values: Mapping[str, Any]) -> tuple[str, Mapping[str, str]]:
    """The label by which pods ask for a GPU, and the GPUs' names by its values."""
    accelerator = ((values.get("workloads") or {}).get("accelerator")) or {}
    platform = (values.get("global") or {}).get("cloudProvider") or "generic"
    key, table = _CHARTS_OWN.get(platform, (PRODUCT_LABEL, {}))
    selectors = accelerator.get("nodeSelectors") or {}
    own = table if selectors.get("enableDefaults", True) else {}
    names = {**own, **(selectors.get("additional") or {})}
    label = accelerator.get("customNodeSelectorKey") or key
    return label, {value: name for name, value in names.items() if value}


def _unlabelled(found: Sequence[Document], what: str, again: str) -> Finding:
    names = [node["metadata"]["name"] for node in found]
    return Finding(
        Status.WARN,
        f"{', '.join(names[:3])}{' and more' * (len(names) > 3)}: {what}; no pod that asks for a "
        "GPU is placed there",
        tuple(names),
        # The same setup would write the same table.
        also(again, BY_NODES),
    )


def table(types: Mapping[str, Any] | None, again: str = "") -> Finding:
    """Whether there is anything that people can ask for."""
    if types is None:
        return Finding(Status.FAIL, "the operator has no table of instance types", fix=again)
    return passed(f"{len(types)} types")


def types_fit(
    types: Mapping[str, Any] | None,
    nodes: Sequence[Document],
    values: Mapping[str, Any],
    again: str = "",
) -> Finding:
    """Whether some node can satisfy each of the types that the operator offers now."""
    if types is None:
        return Finding(Status.UNKNOWN, "the operator has no table of instance types")
    if not nodes:
        return Finding(Status.UNKNOWN, "there is no node yet")
    missing = unsatisfied_of(types, nodes)
    closed = kept_out(values, types, nodes)
    if not missing and not closed:
        return passed(f"{len(types)} types")
    told = [
        *([not_satisfied(missing)] if missing else ()),
        *([taints_of(closed)] if closed else ()),
    ]
    return Finding(
        Status.WARN,
        f"{'; '.join(told)}: what asks for it waits for ever, unless nodes are added",
        fix=f"add such nodes, or let types that fit be written\n{by_nodes(again)}",
    )


def not_satisfied(missing: Sequence[str]) -> str:
    return f"no node can satisfy {', '.join(missing)}"


def taints_of(closed: Mapping[str, Sequence[str]]) -> str:
    """Which types no node admits, and by which taints."""
    taints = sorted({taint for found in closed.values() for taint in found})
    return f"no node admits {', '.join(closed)}, for want of a toleration of {', '.join(taints)}"


def by_nodes(again: str) -> str:
    """The command that has types made of the nodes; where it was run, they are made anew."""
    if BY_NODES not in again:
        return also(again, BY_NODES)
    return f"{again}\nthis makes them of the nodes that are there now"


def labels_of(node: Document) -> Mapping[str, str]:
    return node["metadata"].get("labels") or {}
