"""Where pods go: what the operator asks of the scheduler for one of Ray's, of whichever market.

Ray's pods are of one market, on-demand or spot; a pod that stands for them may go where either
would. What the values' own `patches` add is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.addons import instance_types
from anyscale_k8s_cli.addons.gpu import RESOURCE
from anyscale_k8s_cli.addons.pod_settings import PodSettings
from anyscale_k8s_cli.addons.values import beside, merged
from anyscale_k8s_cli.cluster.documents import Document, Documents
from anyscale_k8s_cli.pod_words import as_taint
from anyscale_k8s_cli.spec import CloudSpec

# What a pod asks for that does next to nothing.
LITTLE: Mapping[str, Any] = {
    "requests": {"cpu": "50m", "memory": "64Mi"},
    "limits": {"cpu": "500m", "memory": "256Mi"},
}
# https://github.com/anyscale/helm-charts: by `global.cloudProvider`, and with Karpenter.
_AWS_MARKET = ("eks.amazonaws.com/capacityType", ["ON_DEMAND", "SPOT"])
_KARPENTER_MARKET = ("karpenter.sh/capacity-type", ["on-demand", "spot"])
_AZURE_SPOT = ("kubernetes.azure.com/scalesetpriority", "spot")
_ANYSCALE_MARKETS = (
    ("node.anyscale.com/capacity-type", "ON_DEMAND"),
    ("node.anyscale.com/capacity-type", "SPOT"),
)
_ANYSCALE_GPU = ("node.anyscale.com/accelerator-type", "GPU")
_COUNT_LABEL = "nvidia.com/gpu.count"
# Those of a node's own state and of markets keep no type out for good.
_PASSING = (*instance_types.TOLERATED, _AZURE_SPOT[0])


@dataclass(frozen=True)
class Placement:
    """`resources` are those of its one container."""

    node_selector: Mapping[str, str] = field(default_factory=dict)
    affinity: Mapping[str, Any] = field(default_factory=dict)
    tolerations: Documents = field(default_factory=list)
    resources: Mapping[str, Any] = field(default_factory=lambda: LITTLE)

    def obstacle(self, node: Document) -> str:
        """Why a node takes no such pod, by its labels and taints; empty where it does.

        What affinities demand is not looked at.
        """
        if (node.get("spec") or {}).get("unschedulable"):
            return "it is cordoned"
        if lacking := self.lacking(node):
            return f"it has no label {', '.join(lacking)}"
        if untolerated := self.untolerated(node):
            return f"it has the taint {untolerated[0]}"
        return ""

    def lacking(self, node: Document) -> list[str]:
        """The labels that are asked for and that a node does not have."""
        labels = node["metadata"].get("labels") or {}
        return [
            f"{key}={value}"
            for key, value in self.node_selector.items()
            if labels.get(key) != value
        ]

    def untolerated(self, node: Document) -> list[str]:
        """The taints that keep the pod from a node, as kubectl writes them."""
        taints = (node.get("spec") or {}).get("taints") or ()
        return [
            as_taint(taint)
            for taint in taints
            if taint.get("effect") != "PreferNoSchedule" and not self._tolerates(taint)
        ]

    def _tolerates(self, taint: Document) -> bool:
        """As the scheduler judges: no key is any, `Exists` any value, no effect any."""
        return any(
            (item.get("key") or taint["key"]) == taint["key"]
            and (item.get("effect") or taint.get("effect")) == taint.get("effect")
            and (
                item.get("operator") == "Exists"
                or (item.get("value") or "") == (taint.get("value") or "")
            )
            for item in self.tolerations
        )


def of_operator(spec: CloudSpec) -> Placement:
    """Where the operator's pod may go, by what was said of all pods and in its own values."""
    said = beside({"operator": PodSettings(spec.pods).placement}, spec.operator.values)
    placed = merged({"operator": PodSettings(spec.pods).placement}, said)["operator"] or {}
    return Placement(
        placed.get("nodeSelector") or {},
        placed.get("affinity") or {},
        placed.get("tolerations") or [],
    )


def of_type(values: Mapping[str, Any], instance_type: Document) -> Placement:
    """A pod of a type without accelerator, as large as Ray's would be."""
    asked = instance_type["resources"]
    amounts = {"cpu": str(asked["CPU"]), "memory": str(asked["memory"])}
    expressions = _market(values)
    if _platform(values) == "aws":
        expressions.append({"key": _COUNT_LABEL, "operator": "DoesNotExist"})
    return Placement(
        _selector(instance_type),
        _affinity(expressions),
        [*_markets_tolerated(values), *(instance_type.get("tolerations") or ())],
        {"requests": amounts, "limits": amounts},
    )


def with_gpu(
    values: Mapping[str, Any], label: tuple[str, str], instance_type: Document | None
) -> Placement:
    """A pod with one GPU of those that `label` names, and little else.

    `instance_type` is one of the operator's with that accelerator, where it has one.
    """
    accelerator = (values.get("workloads") or {}).get("accelerator") or {}
    more = (accelerator.get("tolerations") or {}).get("additional") or ()
    tolerations = [*_markets_tolerated(values), _tolerated(*_ANYSCALE_GPU), *more]
    own = instance_type or {}
    return Placement(
        {**_selector(own), label[0]: label[1]},
        _affinity(_market(values)),
        [*tolerations, *(own.get("tolerations") or ())],
        {kind: {**amounts, RESOURCE: "1"} for kind, amounts in LITTLE.items()},
    )


def kept_out(
    values: Mapping[str, Any], types: Mapping[str, Document], nodes: Sequence[Document]
) -> dict[str, list[str]]:
    """The fewest taints that keep a type from each node with room for it, by the type's name.

    That a pod which asks for GPUs tolerates the taint that is named after them is what the
    API server sees to on some platforms.
    """
    if "tolerations" in str(values.get("patches")):
        return {}
    accelerator = (values.get("workloads") or {}).get("accelerator") or {}
    more = (accelerator.get("tolerations") or {}).get("additional") or ()
    found = {}
    for name, item in types.items():
        gpu = bool(item["resources"].get("GPU"))
        place = Placement(tolerations=[*(item.get("tolerations") or ()), *(more if gpu else ())])
        passing = (*_PASSING, RESOURCE) if gpu else _PASSING
        taints = [
            [taint for taint in place.untolerated(node) if not taint.startswith(passing)]
            for node in instance_types.with_room(item, nodes)
        ]
        if taints and all(taints):
            fewest = min(taints, key=len)
            found[name] = sorted(fewest)
    return found


def _selector(instance_type: Document) -> dict[str, str]:
    architecture = instance_type.get("cpuArchitecture")
    by_machine = {"kubernetes.io/arch": str(architecture)} if architecture else {}
    return {**by_machine, **(instance_type.get("nodeSelector") or {})}


def _market(values: Mapping[str, Any]) -> Documents:
    """What is demanded of a node's labels, whichever market is asked for."""
    workloads = values.get("workloads") or {}
    if not _with_defaults(workloads):
        return []
    key, either = "", [""]
    if workloads.get("enableKarpenterSupport"):
        key, either = _KARPENTER_MARKET
    elif _platform(values) == "aws":
        key, either = _AWS_MARKET
    return [{"key": key, "operator": "In", "values": list(either)}] if key else []


def _markets_tolerated(values: Mapping[str, Any]) -> Documents:
    if not _with_defaults(values.get("workloads") or {}):
        return []
    spot = (_AZURE_SPOT,) if _platform(values) == "azure" else ()
    return [_tolerated(key, value) for key, value in (*_ANYSCALE_MARKETS, *spot)]


def _with_defaults(workloads: Mapping[str, Any]) -> bool:
    return bool((workloads.get("marketType") or {}).get("enableDefaults", True))


def _platform(values: Mapping[str, Any]) -> str:
    return str((values.get("global") or {}).get("cloudProvider") or "")


def _affinity(expressions: Documents) -> Mapping[str, Any]:
    if not expressions:
        return {}
    terms = {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def _tolerated(key: str, value: str) -> Document:
    return {"key": key, "operator": "Equal", "value": value, "effect": "NoSchedule"}
