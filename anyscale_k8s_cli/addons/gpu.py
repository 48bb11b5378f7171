"""NVIDIA's device plugin: only where nobody else brings one, and never beside another.

Clouds, node images and the GPU operator bring plugins of their own, and two of
them on one node break both. So each pool is looked at before anything is decided.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from anyscale_k8s_cli.addons.belonging import goes_with
from anyscale_k8s_cli.addons.context import ClusterContext, InstallContext
from anyscale_k8s_cli.addons.pod_settings import PodSettings
from anyscale_k8s_cli.addons.values import given, merged
from anyscale_k8s_cli.cluster.documents import Document, Documents
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.managers import HELM_NAMESPACE, HELM_RELEASE
from anyscale_k8s_cli.cluster.namespaces import Namespace
from anyscale_k8s_cli.cluster.release_work import Release
from anyscale_k8s_cli.cluster.shared_releases import Incumbent, SharedHelmRelease
from anyscale_k8s_cli.provider import NodePool
from anyscale_k8s_cli.resource import Resource, Users

CHART = "nvidia-device-plugin"
RELEASE = "nvdp"
NAMESPACE = "nvidia-device-plugin"

# What the chart and the chart within it run.
_IMAGE = "nvcr.io/nvidia/k8s-device-plugin"
_DISCOVERY_IMAGE = "registry.k8s.io/nfd/node-feature-discovery"

RESOURCE = "nvidia.com/gpu"
PRODUCT_LABEL = "nvidia.com/gpu.product"
OURS = "this tool"
NOBODY = ""

# What plugins call themselves: the chart's, the GPU operator's, GKE's, OKE's.
_PLUGIN_NAMES = ("nvidia-device-plugin", "nvidia-gpu-device-plugin")
# Labels that tell of a GPU though no plugin runs: feature discovery's and people's.
_GPU_LABELS = (
    "nvidia.com/gpu.present",
    PRODUCT_LABEL,
    "feature.node.kubernetes.io/pci-10de.present",
)
_OUTSIDE = "nodes outside any pool"
_HOSTNAME = "kubernetes.io/hostname"
# Labels that a node gets by being looked at: nobody knows them before.
_FOUND_OUT = ("nvidia.com/", "feature.node.kubernetes.io/")
# What nodes offer of a fast network between them: EFA on AWS, RDMA elsewhere.
_FABRIC = ("vpc.amazonaws.com/efa", "rdma/")


@dataclass(frozen=True)
class GpuPool:
    """What is known of one pool with GPUs.

    `plugin_owner` is a person's word for who brings the plugin, empty for
    nobody. `allocatable` counts the GPUs that its nodes offer now; `labelled`
    says whether new nodes will carry the product's label. `fabric` is what they offer of a
    fast network, by resource. `hosts` are the nodes that there are, for those of no pool.
    `twice`: its nodes are served by our plugin and by that of `plugin_owner`.
    """

    name: str
    nodes: int
    driver: str
    plugin_owner: str
    allocatable: int
    labelled: bool
    labels: Mapping[str, str]
    fabric: Mapping[str, int] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    twice: bool = False

    def __str__(self) -> str:
        owner = self.plugin_owner or "nobody"
        fabric = "".join(f", {count} {name}" for name, count in sorted(self.fabric.items()))
        return (
            f"{self.name}: {self.nodes} nodes, {self.allocatable} GPUs allocatable, "
            f"driver from {self.driver or 'nobody known'}, device plugin from {owner}, "
            f"product label {'set' if self.labelled else 'not set'}{fabric}"
        )


def survey(
    pools: Sequence[NodePool], nodes: Sequence[Document], plugins: Documents
) -> tuple[GpuPool, ...]:
    """All pools with GPUs, with who brings their plugin.

    `plugins` are the DaemonSets that look like device plugins. Pure.
    """
    rest = list(nodes)
    found = []
    for pool in pools:
        members = [node for node in rest if _belongs(node, pool)]
        rest = [node for node in rest if node not in members]
        if pool.gpu or any(map(has_gpu, members)):
            found.append(_judged(pool, members, plugins))
    strays = [node for node in rest if has_gpu(node)]
    if strays:
        found.append(_judged(NodePool(_OUTSIDE, gpu=True), strays, plugins))
    return tuple(found)


def device_plugins(kubernetes: Kubernetes) -> Documents:
    """The DaemonSets in the cluster that are device plugins for NVIDIA's GPUs."""
    return [
        item
        for item in kubernetes.list("apps/v1", "DaemonSet")
        if any(name in item["metadata"]["name"] for name in _PLUGIN_NAMES)
        or (item["metadata"].get("labels") or {}).get("app.kubernetes.io/name") == CHART
    ]


# Where options of this tool have their values, in which nobody keeps secrets.
_OF_OPTIONS = frozenset(("tolerations", "podAnnotations", "imagePullSecrets", "image", "nfd"))


def gpu_plugin(context: ClusterContext, pools: Sequence[GpuPool]) -> tuple[Resource[Any], ...]:
    """Namespace and shared release; nothing where the spec or the cluster has no use for it."""
    if not context.teardown and (context.spec.gpu == "off" or not pools):
        return ()

    def in_use_by() -> Users:
        return gpu_users(context.kubernetes, context.install.namespace)

    namespace = Namespace(
        context.surroundings,
        NAMESPACE,
        ours=goes_with(context.install, (NAMESPACE, RELEASE)),
        in_use_by=in_use_by,
        privileged=True,
    )
    release = Release(
        name=RELEASE,
        namespace=NAMESPACE,
        chart=CHART,
        values=lambda: plugin_values(context, pools),
        addition=context.pods.addition,
        open_values=_OF_OPTIONS,
        private=context.spec.addons.gpu_plugin.values,
        upgrade=context.upgrade,
        seconds=context.spec.timeouts.controller,
        deletion_seconds=context.spec.timeouts.deletion,
    )
    # Where others bring it everywhere there is nothing to put into a namespace.
    own_place = () if all_served(pools) and not context.teardown else (namespace,)
    plugin = SharedHelmRelease(
        context.tools,
        release,
        context.surroundings,
        title="GPU device plugin",
        needs=own_place,
        incumbent=lambda: incumbent(pools),
        in_use_by=in_use_by,
    )
    return (*own_place, plugin)


def pools_of(context: InstallContext, kubernetes: Kubernetes) -> tuple[GpuPool, ...]:
    """Those of the cluster; none where the plugin is nobody's business."""
    if context.spec.gpu == "off":
        return ()
    pools = context.cluster.node_pools
    found = survey(pools, context.nodes, [])
    # Without GPUs nobody needs to look for plugins.
    return survey(pools, context.nodes, device_plugins(kubernetes)) if found else ()


def plugin_values(context: InstallContext, pools: Sequence[GpuPool]) -> dict[str, Any]:
    """The plugin's values, whoever installs it."""
    platform = restricted(context.provider.gpu_plugin_values(context.cluster), pools)
    own = pod_values(context.pods, platform)
    return merged(platform, own, context.spec.addons.gpu_plugin.values)


def pod_values(pods: PodSettings, platform: Mapping[str, Any]) -> dict[str, Any]:
    """What pods are given, with what the platform tolerates.

    The plugin goes where GPUs are: a selector is for the one Deployment of each of the
    programs that look at all nodes from one place. The chart has no value for labels.
    """
    central = {**pods.placement, "annotations": pods.annotations}
    found = platform.get("nfd") or {}
    tolerated = [*((found.get("worker") or {}).get("tolerations") or ()), *pods.tolerations]
    own = {
        "tolerations": [*(platform.get("tolerations") or ()), *pods.tolerations],
        "podAnnotations": pods.annotations,
        "imagePullSecrets": pods.pull_secrets,
        "image": {"repository": pods.image(_IMAGE) if pods.registry else ""},
        "nfd": {
            "imagePullSecrets": pods.pull_secrets,
            "image": {"repository": pods.image(_DISCOVERY_IMAGE) if pods.registry else ""},
            "master": central,
            "gc": central,
            "worker": {"tolerations": tolerated, "annotations": pods.annotations},
        },
    }
    return given(own)


def all_served(pools: Sequence[GpuPool]) -> bool:
    """Whether somebody else brings the plugin to every pool."""
    return bool(pools) and all(pool.plugin_owner not in (NOBODY, OURS) for pool in pools)


def incumbent(pools: Sequence[GpuPool]) -> Incumbent | None:
    """Whoever brings the plugin to all pools; None when some pool has none."""
    if not all_served(pools):
        return None
    owners = sorted({pool.plugin_owner for pool in pools})
    return Incumbent(id=f"gpu-plugin:{','.join(owners)}", what=f"brought by {', '.join(owners)}")


def by_hand(pools: Sequence[GpuPool]) -> tuple[GpuPool, ...]:
    """The pools for whoever installs a plugin: our own release is then another's."""
    release = f"the release {NAMESPACE}/{RELEASE} of {OURS}"
    return tuple(
        replace(pool, plugin_owner=release) if pool.plugin_owner == OURS else pool for pool in pools
    )


def restricted(values: Mapping[str, Any], pools: Sequence[GpuPool]) -> dict[str, Any]:
    """The platform's values, held to the pools that have no plugin where others have one."""
    ours = [pool for pool in pools if pool.plugin_owner in (NOBODY, OURS)]
    if not ours or len(ours) == len(pools):
        return dict(values)
    restricted = copy.deepcopy(dict(values))
    required = restricted.setdefault("affinity", {}).setdefault("nodeAffinity", {})
    selector = required.setdefault("requiredDuringSchedulingIgnoredDuringExecution", {})
    terms = selector.get("nodeSelectorTerms") or [{}]
    # Terms are alternatives, and the expressions of one must all hold.
    selector["nodeSelectorTerms"] = [
        {**term, "matchExpressions": [*(term.get("matchExpressions") or ()), *_only(pool)]}
        for pool in ours
        for term in terms
    ]
    return restricted


def gpu_users(kubernetes: Kubernetes, own_namespace: str) -> Users:
    """Pods of other people that use GPUs."""
    names = tuple(
        f"Pod {pod['metadata']['namespace']}/{pod['metadata']['name']}"
        for pod in kubernetes.list("v1", "Pod")
        if pod["metadata"]["namespace"] != own_namespace
        and (pod.get("status") or {}).get("phase") in ("Pending", "Running")
        and any(_asks_for_gpu(item) for item in pod["spec"].get("containers") or ())
    )
    return Users(names, kubernetes.access.kubectl("get pods -A"))


def _judged(pool: NodePool, members: Sequence[Document], plugins: Documents) -> GpuPool:
    allocatable = sum(map(allocatable_gpus, members))
    here = [item for item in plugins if _reaches(item, pool, members)]
    owner = _owner(pool, members, here)
    labelled = PRODUCT_LABEL in pool.labels or (
        bool(members) and all(PRODUCT_LABEL in _labels(node) for node in members)
    )
    return GpuPool(
        name=pool.name,
        nodes=len(members) or pool.size,
        driver=pool.gpu_driver,
        plugin_owner=owner,
        allocatable=allocatable,
        labelled=labelled,
        labels=pool.labels,
        fabric=_fabric(members),
        hosts=tuple(
            str(_labels(node).get(_HOSTNAME) or node["metadata"]["name"]) for node in members
        )
        if not pool.labels
        else (),
        twice=bool(members) and not pool.gpu_plugin_owner and len(set(map(_is_ours, here))) > 1,
    )


def _fabric(nodes: Sequence[Document]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for node in nodes:
        for name, count in _offered(node).items():
            if name.startswith(_FABRIC) and str(count).isdigit():
                found[name] += int(count)
    return {name: count for name, count in found.items() if count}


def _owner(pool: NodePool, members: Sequence[Document], here: Documents) -> str:
    if pool.gpu_plugin_owner:
        return pool.gpu_plugin_owner
    foreign = [item for item in here if not _is_ours(item)]
    if foreign:
        metadata = foreign[0]["metadata"]
        return f"DaemonSet {metadata['namespace']}/{metadata['name']}"
    if here:
        return OURS
    # GPUs are offered, so somebody brings a plugin that has no DaemonSet: the node image.
    return "the node image" if any(map(allocatable_gpus, members)) else NOBODY


def _reaches(plugin: Document, pool: NodePool, members: Sequence[Document]) -> bool:
    """Whether a DaemonSet may run on the pool, by the labels of its nodes.

    What nobody can know speaks for it: two plugins on a node are worse than none.
    """
    spec = ((plugin.get("spec") or {}).get("template") or {}).get("spec") or {}
    chosen = [
        {"key": key, "operator": "In", "values": [value]}
        for key, value in (spec.get("nodeSelector") or {}).items()
    ]
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = required.get("nodeSelectorTerms") or [{}]
    either = [[*chosen, *(term.get("matchExpressions") or ())] for term in terms]
    places = [(_labels(node), True) for node in members] or [(pool.labels, False)]
    return any(
        all(_may_hold(item, labels, whole=whole) for item in demands)
        for labels, whole in places
        for demands in either
    )


def _may_hold(demand: Document, labels: Mapping[str, str], *, whole: bool) -> bool:
    """Whether a label is as demanded; of a node that is not there yet (not `whole`) it may be."""
    key, operator, wanted = demand["key"], demand["operator"], demand.get("values") or ()
    value = labels.get(key)
    if value is None and (not whole or key.startswith(_FOUND_OUT)):
        return True
    holds = {
        "In": value in wanted,
        "NotIn": value not in wanted,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }
    return holds.get(operator, True)


def _is_ours(plugin: Document) -> bool:
    annotations = plugin["metadata"].get("annotations") or {}
    return (annotations.get(HELM_NAMESPACE), annotations.get(HELM_RELEASE)) == (NAMESPACE, RELEASE)


def _belongs(node: Document, pool: NodePool) -> bool:
    labels = _labels(node)
    return bool(pool.labels) and all(labels.get(key) == value for key, value in pool.labels.items())


def has_gpu(node: Document) -> bool:
    """By what it offers, or by what its labels say."""
    labels = _labels(node)
    return allocatable_gpus(node) > 0 or any(
        labels.get(key) not in (None, "false") for key in _GPU_LABELS
    )


def allocatable_gpus(node: Document) -> int:
    """How many of its GPUs pods can ask for."""
    return int(_offered(node).get(RESOURCE, 0))


def _offered(node: Document) -> Mapping[str, Any]:
    return (node.get("status") or {}).get("allocatable") or {}


def _labels(node: Document) -> Mapping[str, str]:
    return node["metadata"].get("labels") or {}


def _only(pool: GpuPool) -> list[Document]:
    if not pool.labels:
        return [{"key": _HOSTNAME, "operator": "In", "values": list(pool.hosts)}]
    return [
        {"key": key, "operator": "In", "values": [value]}
        for key, value in sorted(pool.labels.items())
    ]


def _asks_for_gpu(container: Document) -> bool:
    resources = container.get("resources") or {}
    asked = {**(resources.get("requests") or {}), **(resources.get("limits") or {})}
    return RESOURCE in asked
