"""Instance types as the nodes really are: what Ray nodes may ask for, and how GPUs are found.

The chart has four types of its own, whatever the cluster is made of. With `auto` they
are kept as far as some node can satisfy them, and tolerate its taints; each shape of node
gets a type of its own besides, small enough for what runs on every node beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.values import merged
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.quantities import amount

AUTO, DEFAULT = "auto", "default"

_GPU = "nvidia.com/gpu"
_PRODUCT_LABEL = "nvidia.com/gpu.product"
_COUNT_LABEL = "nvidia.com/gpu.count"
# Labels by which a GPU can be asked for, the best first; the last is on every cloud's nodes.
_SELECTORS = (
    _PRODUCT_LABEL,
    "cloud.google.com/gke-accelerator",
    "gpu.nvidia.com/model",
    "node.kubernetes.io/instance-type",
)
_MASTERS = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
# Taints that pods of the chart tolerate anyway, and those of a node's own state.
TOLERATED = ("node.anyscale.com/", "node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
# Machines of Oracle's are called after their GPUs, the older ones by a number.
# https://docs.oracle.com/iaas/Content/Compute/References/computeshapes.htm
_MACHINE = re.compile(r"(?:vm|bm)\.gpu\.?(.+?)\.\d+", re.IGNORECASE)
_MACHINES = {"2": "P100", "3": "V100", "4": "A100-40GB", "A100-V2": "A100-80GB"}
# What agents on every node leave for pods.
_SHARE = 9, 10
_ALL = 1, 1
_GIB = 1024**3
# https://github.com/anyscale/helm-charts: CPU, memory in GiB, GPUs, accelerator.
_CHARTS_OWN = {
    "2CPU-8GB": (2, 8, 0, ""),
    "4CPU-16GB": (4, 16, 0, ""),
    "8CPU-32GB": (8, 32, 0, ""),
    "8CPU-32GB-1xT4": (8, 32, 1, "T4"),
}


@dataclass(frozen=True, order=True)
class Shape:
    """What a kind of node has for Ray: whole CPUs and GiB, below what is allocatable.

    `selector` is the label and its value by which its GPUs are asked for; `taints` are
    those that a pod must tolerate, as key, value and effect.
    """

    cpus: int
    memory: int
    gpus: int = 0
    accelerator: str = ""
    selector: tuple[str, str] = ("", "")
    arch: str = "amd64"
    taints: tuple[tuple[str, str, str], ...] = ()

    @property
    def name(self) -> str:
        gpus = f"-{self.gpus}x{self.accelerator}" if self.gpus else ""
        arch = "" if self.arch == "amd64" else f"-{self.arch}"
        return f"{self.cpus}CPU-{self.memory}GB{gpus}{arch}"

    def holds(self, cpus: int, memory: float, gpus: int, accelerator: str) -> bool:
        """Whether a pod that asks for this fits."""
        enough = self.cpus >= cpus and self.memory >= memory and self.gpus >= gpus
        # The chart's A100 on Azure is of either memory.
        family = self.accelerator.partition("-")[0] if accelerator == "A100" else ""
        return enough and accelerator in ("", self.accelerator, family)

    def slice(self) -> Shape:
        """A node of one GPU of several, with its share of the rest."""
        return Shape(
            self.cpus // self.gpus,
            self.memory // self.gpus,
            1,
            self.accelerator,
            self.selector,
            self.arch,
            self.taints,
        )

    def tolerating(self) -> Document:
        """The part of a type by which its pods tolerate the taints; empty without any."""
        found = [
            {"key": key, "operator": "Equal", "value": value, "effect": effect}
            for key, value, effect in self.taints
        ]
        return {"tolerations": found} if found else {}

    def as_type(self) -> Document:
        resources: Document = {"CPU": self.cpus, "memory": f"{self.memory}Gi"}
        if self.gpus:
            resources |= {"GPU": self.gpus, "accelerators": [self.accelerator]}
        made: Document = {"resources": resources}
        made |= self.tolerating()
        if self.arch != "amd64":
            made["cpuArchitecture"] = self.arch
        return made


def values(wanted: str, nodes: Sequence[Document]) -> dict[str, Any]:
    """The chart's values for what was said: `auto`, `default`, or a file's name.

    Raises `invalid-spec` for a file that holds no instance types.
    """
    if wanted == DEFAULT:
        return {}
    if wanted != AUTO:
        types: Document = {"enableDefaults": False, "additional": of_file(Path(wanted))}
        return {"workloads": {"instanceTypes": types}}
    found = shapes(nodes)
    if not found:
        return {}  # no node is there to learn from
    types = {"additional": {shape.name: shape.as_type() for shape in _all(found)}}
    # A null is what makes helm drop a default. The chart's own win over additional ones.
    parts = {name: _default(found, *asked) for name, asked in _CHARTS_OWN.items()}
    types["defaults"] = {name: part for name, part in parts.items() if part != {}}
    return {"workloads": {"instanceTypes": types, **_accelerators(found)}}


def shapes(nodes: Iterable[Document]) -> tuple[Shape, ...]:
    """The kinds of node that take Ray nodes, the smallest first."""
    return _shapes(nodes, _SHARE)


def _shapes(nodes: Iterable[Document], share: tuple[int, int]) -> tuple[Shape, ...]:
    return tuple(sorted({shape for node in nodes if (shape := _shape(node, share)) is not None}))


def smallest(types: Mapping[str, Document]) -> str:
    """The name of the least type that has no accelerator; empty where each has one."""
    asked = {name: _asked(item) for name, item in types.items()}
    plain = [name for name, (_, _, gpus, named) in asked.items() if not gpus and not named]
    return min(plain, key=lambda name: (asked[name], name), default="")


def smallest_with(types: Mapping[str, Document], accelerator: str) -> str:
    """The name of the least type that has this accelerator; empty where none has."""
    asked = {name: _asked(item) for name, item in types.items()}
    fitting = [name for name, (_, _, gpus, named) in asked.items() if gpus and named == accelerator]
    return min(fitting, key=lambda name: (asked[name][2], asked[name], name), default="")


def unsatisfied_of(types: Mapping[str, Document], nodes: Sequence[Document]) -> list[str]:
    """Names of those types that no node can satisfy as it is now, empty of all else."""
    return [name for name, item in types.items() if not with_room(item, nodes)]


def with_room(item: Document, nodes: Sequence[Document]) -> list[Document]:
    """The nodes that are large enough for a type, empty of all else."""
    asked = _asked(item)
    shaped = ((node, _shape(node, _ALL)) for node in nodes)
    return [node for node, shape in shaped if shape is not None and shape.holds(*asked)]


def of_chart(users: Mapping[str, Any]) -> dict[str, Document]:
    """The chart's own types, as far as the user's values leave them, and those they add."""
    said = (users.get("workloads") or {}).get("instanceTypes") or {}
    own = {
        name: Shape(cpus, memory, gpus, accelerator).as_type()
        for name, (cpus, memory, gpus, accelerator) in _CHARTS_OWN.items()
    }
    charts = merged(own, said.get("defaults") or {}) if said.get("enableDefaults", True) else {}
    found = merged(said.get("additional") or {}, charts)
    return {
        name: item for name, item in found.items() if "CPU" in ((item or {}).get("resources") or {})
    }


def of_file(path: Path) -> dict[str, Any]:
    """The types in a YAML file, by name. Raises `invalid-spec`."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        raise _invalid(path, " ".join(str(problem).split())) from problem
    fit = isinstance(document, dict) and document
    if not fit or any(
        not isinstance(item, dict) or "CPU" not in (item.get("resources") or {})
        for item in document.values()
    ):
        raise _invalid(path, "each entry must be a name with `resources`, and CPU among them")
    return dict(document)


def accelerator(product: str) -> str:
    """Anyscale's name for a GPU, from what a label calls it.

    `Tesla-T4`, `nvidia-tesla-t4` are T4; `NVIDIA-A100-SXM4-80GB` is A100-80G; `gpu-h100-sxm`
    is H100, and so is a machine `BM.GPU.H100.8`; what has no name yet gets the first part of
    its own.
    """
    if machine := _MACHINE.fullmatch(product):
        product = _MACHINES.get(machine[1].upper(), machine[1])
    bare = re.sub(r"^(nvidia-|tesla-|gpu-)+", "", product, flags=re.IGNORECASE).upper()
    parts = bare.replace("_", "-").split("-")
    if parts[0] == "A100":
        return "A100-80G" if "80GB" in parts else "A100-40G"
    if parts[0] == "H100" and "MEGA" in parts:
        return "H100-MEGA"
    if parts[0] == "RTX":
        return "-".join(part for part in parts if part not in ("GENERATION", "ADA"))
    return re.sub(r"[^A-Z0-9]", "", parts[0]) or "GPU"


def gpu_selector(labels: Mapping[str, str]) -> tuple[str, str]:
    """The label, and its value, that tells best which GPU a node has; empty without any."""
    return next(((key, str(labels[key])) for key in _SELECTORS if labels.get(key)), ("", ""))


def _all(found: Iterable[Shape]) -> list[Shape]:
    whole = list(found)
    return [*whole, *(shape.slice() for shape in whole if shape.gpus > 1)]


def _default(
    found: Iterable[Shape], cpus: int, memory: float, gpus: int, accelerator: str
) -> Document | None:
    """What a default lacks for the nodes with room for it; None where there are none.

    Those with the fewest taints and GPUs are opened to it, and no others. Nodes that are kept
    for GPUs stay so, unless there are no others.
    """
    holding = [shape for shape in found if shape.holds(cpus, memory, gpus, accelerator)]
    chosen = min(holding, key=lambda shape: (len(shape.taints), shape.gpus), default=None)
    if chosen is None or (chosen.taints and chosen.gpus and not gpus and not _only_gpus(found)):
        return None
    return chosen.tolerating()


def _only_gpus(found: Iterable[Shape]) -> bool:
    return all(shape.gpus for shape in found)


def _accelerators(found: Iterable[Shape]) -> dict[str, Any]:
    """How pods find nodes with a GPU, by the labels that the nodes really have."""
    with_gpus = [shape for shape in found if shape.gpus and shape.selector[0]]
    if not with_gpus:
        return {}
    key = next(key for key in _SELECTORS if any(shape.selector[0] == key for shape in with_gpus))
    table = {
        shape.accelerator: shape.selector[1] for shape in with_gpus if shape.selector[0] == key
    }
    selectors = {"enableDefaults": False, "additional": table}
    return {"accelerator": {"customNodeSelectorKey": key, "nodeSelectors": selectors}}


def _shape(node: Mapping[str, Any], share: tuple[int, int]) -> Shape | None:
    """What a node has for Ray; None for one that takes none."""
    spec, labels = node.get("spec") or {}, node["metadata"].get("labels") or {}
    taints = spec.get("taints") or ()
    if spec.get("unschedulable") or any(taint.get("key") in _MASTERS for taint in taints):
        return None
    offered = (node.get("status") or {}).get("allocatable") or {}
    part, whole = share
    cpus = int(amount(offered.get("cpu", 0)) * part / whole)
    memory = int(amount(offered.get("memory", 0)) / _GIB * part / whole)
    if cpus < 1 or memory < 1:
        return None
    gpus = int(offered.get(_GPU) or 0) or _labelled_count(labels)
    selector = gpu_selector(labels)
    return Shape(
        cpus,
        memory,
        gpus,
        accelerator(selector[1]) if gpus else "",
        selector if gpus else ("", ""),
        str(labels.get("kubernetes.io/arch") or "amd64"),
        tuple(
            (str(taint["key"]), str(taint.get("value") or ""), str(taint["effect"]))
            for taint in taints
            if taint.get("effect") in ("NoSchedule", "NoExecute")
            and not str(taint["key"]).startswith(TOLERATED)
        ),
    )


def _labelled_count(labels: Mapping[str, str]) -> int:
    """GPUs that a node has though no plugin offers them yet."""
    said = labels.get(_COUNT_LABEL, "")
    return int(said) if said.isdigit() else int(_PRODUCT_LABEL in labels)


def _asked(item: Document) -> tuple[int, float, int, str]:
    resources = item["resources"]
    named = resources.get("accelerators") or [""]
    return (
        int(amount(resources["CPU"])),
        float(amount(resources.get("memory", 0)) / _GIB),
        int(resources.get("GPU") or 0),
        str(named[0]),
    )


def _invalid(path: Path, cause: str) -> errors.CliError:
    return errors.CliError(
        errors.INVALID_SPEC,
        f"--instance-types: {path} holds no instance types",
        cause=cause,
        fix="give a YAML file that maps names to types, or one of: auto, default",
    )
