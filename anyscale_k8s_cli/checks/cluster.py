"""Checks of the cluster that hold on every platform. They read only."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import gateway_controller, gpu
from anyscale_k8s_cli.addons.instance_types import (
    AUTO,
    DEFAULT,
    of_chart,
    of_file,
    unsatisfied_of,
)
from anyscale_k8s_cli.addons.names import OPERATOR_CHART, OPERATOR_RELEASE, USUAL_CLASS
from anyscale_k8s_cli.addons.placement import Placement, kept_out, of_operator
from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, declared, passed
from anyscale_k8s_cli.checks.nginx import nginx_checks
from anyscale_k8s_cli.checks.nodes import not_satisfied, taints_of
from anyscale_k8s_cli.cluster.admission import ENFORCE
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.namespaces import made_by_us
from anyscale_k8s_cli.cluster.pins import KubernetesRange, pins
from anyscale_k8s_cli.cluster.quantities import amount, written
from anyscale_k8s_cli.cluster.rights import Right, by_kind, denied, parts_for, way_in
from anyscale_k8s_cli.cluster.rights import rights as least_rights
from anyscale_k8s_cli.cluster.rollouts import rolled_out
from anyscale_k8s_cli.provider import Cluster, Verb
from anyscale_k8s_cli.run import StillWaiting
from anyscale_k8s_cli.spec import CloudSpec, makes_gateway

# What the operator's two containers ask for, by the chart's defaults.
_OPERATOR: Mapping[str, Mapping[str, str]] = {
    "container": {"cpu": "1", "memory": "512Mi"},
    "vector": {"cpu": "100m", "memory": "512Mi"},
}
# Kinds of Secrets that nodes log in at a registry with.
_LOGINS = ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg")
_KARPENTER = ("v1", "v1beta1")
_OF_CONTROL_PLANE = re.compile(r"node-role\.kubernetes\.io/(control-plane|master)\b")
# Missing rights that one line names; all of them are in the evidence.
_TOLD = 5


def cluster_checks(
    spec: CloudSpec,
    cluster: Cluster,
    kubernetes: Kubernetes,
    nodes: Sequence[Document],
    verb: Verb = Verb.SETUP,
) -> tuple[BoundCheck, ...]:
    """Those that need nothing but the cluster; `verb` is what rights are asked for."""
    namespace = spec.namespace

    def more() -> bool:
        # What is registered alone has time until somebody installs the operator.
        return verb is not Verb.SETUP or more_may_come(kubernetes, cluster)

    found: tuple[BoundCheck, ...] = (
        declared.CLUSTER_REACHABLE.bind(lambda: reachable(kubernetes)),
        declared.CLUSTER_VERSION.bind(lambda: version(kubernetes.version() or cluster.version)),
        declared.CLUSTER_RIGHTS.bind(
            lambda: rights(kubernetes, namespace, verb, spec.provider, spec.network.kind)
        ),
        declared.NAMESPACE_POD_SECURITY.bind(lambda: pod_security(kubernetes, namespace)),
        declared.OPERATOR_CAPACITY.bind(lambda: capacity(kubernetes, spec, nodes, more)),
    )
    if spec.network.kind == "none":
        found = (*found, declared.INGRESS_CLASS.bind(lambda: own_class(kubernetes, spec)))
    if spec.network.kind == "nginx":
        found = (*found, *nginx_checks(spec, kubernetes))
    if spec.pods.image_pull_secrets:
        places = partial(pod_namespaces, kubernetes, spec, cluster, nodes)
        there = partial(pull_secrets, kubernetes, spec.pods.image_pull_secrets, places)
        found = (*found, declared.IMAGE_PULL_SECRETS.bind(there))
    return (*found, *_of_types(spec, nodes, more))


def _of_types(
    spec: CloudSpec, nodes: Sequence[Document], more: Callable[[], bool]
) -> Iterator[BoundCheck]:
    """The chart's own are of several sizes for any cluster: of them taints alone are judged."""
    values = spec.operator.values
    if spec.instance_types == DEFAULT:
        closed = kept_out(values, of_chart(values), nodes)
        if closed:
            yield declared.INSTANCE_TYPES_FIT.bind(lambda: _closed(closed))
    elif spec.instance_types != AUTO:
        yield declared.INSTANCE_TYPES_FIT.bind(
            lambda: types_fit(spec.instance_types, nodes, more, values)
        )


def reachable(kubernetes: Kubernetes) -> Finding:
    """Who is asking, by the cluster's own word."""
    try:
        return passed(f"{kubernetes.access.endpoint}, as {kubernetes.whoami()}")
    except errors.CliError as problem:
        if problem.code not in (errors.CLUSTER_UNREACHABLE, errors.CLUSTER_UNAUTHENTICATED):
            raise
        return Finding(Status.FAIL, str(problem), problem.evidence, problem.fix)


def version(found: str, tested: KubernetesRange | None = None) -> Finding:
    """Whether the operator's chart was tested with this version."""
    tested = tested or pins().charts[OPERATOR_CHART].tested.kubernetes
    minor = _minor(found)
    if minor is None:
        return Finding(Status.UNKNOWN, f"the version {found!r} cannot be read")
    oldest, newest = _minor(tested.minimum), _minor(tested.newest)
    if (oldest is None or oldest <= minor) and (newest is None or minor <= newest):
        return passed(f"Kubernetes {found}")
    until = f" to {tested.newest}" if newest else ""
    told = f"Kubernetes {found}; tested from {tested.minimum}{until}"
    if oldest and minor < oldest:
        return Finding(Status.FAIL, told, fix="upgrade the cluster")
    return Finding(Status.WARN, told, fix="use a newer version of this tool")


def rights(
    kubernetes: Kubernetes,
    namespace: str,
    verb: Verb = Verb.SETUP,
    provider: str = "generic",
    network: str = "gateway",
    needed: Callable[[Right], bool] = lambda _: True,
) -> Finding:
    """Ask the API server, which tells allowed from denied without anything being tried.

    What is missing and not `needed` is a warning.
    """
    if kubernetes.can_i("*", "*", group="*"):
        return passed("administrator of the cluster")

    wanted = least_rights((*verb.cluster_parts, *parts_for(network)))
    missing = denied(kubernetes, wanted, namespace)
    lacking = [str(item) for item in missing]
    if not lacking:
        return passed(f"every right that {verb.value} needs, {len(wanted)} of them")
    return Finding(
        Status.FAIL if any(map(needed, missing)) else Status.WARN,
        f"not allowed: {', '.join(lacking[:_TOLD])}{' and more' * (len(lacking) > _TOLD)}",
        tuple(f"not allowed: {line}" for line in by_kind(missing)),
        fix=way_in(kubernetes.access, kubernetes.whoami(), provider, verb.value, network),
    )


def own_class(kubernetes: Kubernetes, spec: CloudSpec) -> Finding:
    """Whether anybody serves what the operator makes, where the way in is the user's own."""
    networking = spec.operator.values.get("networking") or {}
    name = (networking.get("ingress") or {}).get("classNameOverride") or USUAL_CLASS
    if kubernetes.get("networking.k8s.io/v1", "IngressClass", name) is not None:
        return passed(name)
    return Finding(
        Status.WARN,
        f"the cluster has no IngressClass {name}, which the operator's Ingresses will have: nobody "
        "serves them",
        fix="install your controller, or name its class with --values "
        "(networking.ingress.classNameOverride)",
    )


def pod_security(kubernetes: Kubernetes, namespace: str) -> Finding:
    """Ray pods have an init container with privileges."""
    found = kubernetes.get("v1", "Namespace", namespace)
    if found is None:
        return passed("the namespace will be made")
    if made_by_us(found):
        return passed("the namespace is ours, and setup keeps its level")
    level = (found["metadata"].get("labels") or {}).get(ENFORCE, "privileged")
    if level == "privileged":
        return passed()
    return Finding(
        Status.FAIL,
        f"the namespace {namespace} enforces Pod Security level {level}",
        fix=kubernetes.access.kubectl(
            f"label namespace {namespace} {ENFORCE}=privileged --overwrite"
        ),
    )


def more_may_come(kubernetes: Kubernetes, cluster: Cluster) -> bool:
    """Whether something adds nodes when pods ask for them, as far as that can be seen."""
    if any(pool.size == 0 for pool in cluster.node_pools):
        return True
    if any(kubernetes.serves(f"karpenter.sh/{version}", "NodePool") for version in _KARPENTER):
        return True
    try:
        # https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md
        told = kubernetes.get("v1", "ConfigMap", "cluster-autoscaler-status", "kube-system")
    except errors.CliError as problem:
        if problem.code is not errors.CLUSTER_FORBIDDEN:
            raise
        return True
    return told is not None


def capacity(
    kubernetes: Kubernetes,
    spec: CloudSpec,
    nodes: Sequence[Document],
    more: Callable[[], bool] = lambda: True,
) -> Finding:
    """Whether some node has the CPU and memory free that the operator asks for.

    That none may take it is a failure only where no `more` will come. Of an operator that is
    there already only that is asked, and only where its pods would be placed otherwise.
    """
    place = of_operator(spec)
    there = kubernetes.get("apps/v1", "Deployment", OPERATOR_RELEASE, spec.namespace)
    if there is not None and _stays(there, place):
        return passed("the operator is there already")
    usable = [node for node in nodes if not place.obstacle(node)]
    if not usable:
        if not nodes:
            return Finding(Status.UNKNOWN, "there is no node yet")
        return _nowhere(place, nodes, may_come=more())
    if there is not None:
        return passed(f"it is there, and {usable[0]['metadata']['name']} takes it")
    used, (cpu, memory) = _used(kubernetes), _asked(spec)
    for node in usable:
        free_cpu, free_memory = _free(node, used)
        if free_cpu >= cpu and free_memory >= memory:
            return passed(f"on {node['metadata']['name']}")
    return Finding(
        Status.WARN,
        f"no node has {cpu.normalize():f} CPU and {written('memory', memory)} free; the operator "
        "waits until one is added",
        fix="add a node, or lower operator.container.resources with --values",
    )


def _stays(there: Document, place: Placement) -> bool:
    """Whether a Deployment's pods are up where they would be put anew."""
    try:
        rolled_out(there)
    except StillWaiting:
        return False
    pod = there["spec"]["template"].get("spec") or {}
    selector, tolerations = pod.get("nodeSelector") or {}, pod.get("tolerations") or []
    return (selector, tolerations) == (dict(place.node_selector), list(place.tolerations))


def _nowhere(place: Placement, nodes: Sequence[Document], *, may_come: bool) -> Finding:
    """How many nodes each label and each taint keeps the operator from, and what opens them."""
    taints = Counter(taint for node in nodes for taint in place.untolerated(node))
    selected = [node for node in nodes if not place.lacking(node)]
    selector = ",".join(f"{key}={value}" for key, value in place.node_selector.items())
    reasons = [f"the taint {taint} ({count} of {len(nodes)})" for taint, count in taints.items()]
    if len(selected) < len(nodes):
        reasons.insert(0, f"the selector {selector} ({len(nodes) - len(selected)} of {len(nodes)})")
    if cordoned := sum(bool((node.get("spec") or {}).get("unschedulable")) for node in nodes):
        reasons.append(f"that they are cordoned ({cordoned} of {len(nodes)})")
    first, *others = _opening(place, selected or nodes) or [""]
    fixes = [f"say that the pods tolerate it: {first}"] if first else []
    fixes += [f"or, for other nodes: {words}" for words in others]
    if not selected:
        fixes.insert(0, f"name labels that nodes have with --node-selector, instead of {selector}")
    if not fixes:
        fixes.append("let pods onto a node again, with kubectl uncordon NODE")
    return Finding(
        Status.WARN if may_come else Status.FAIL,
        f"none of {len(nodes)} nodes takes the operator; they are ruled out by "
        f"{', '.join(reasons)}",
        tuple(f"{node['metadata']['name']}: {place.obstacle(node)}" for node in nodes),
        fix="\n".join(fixes),
    )


def _opening(place: Placement, nodes: Sequence[Document]) -> list[str]:
    """The options that open nodes with the fewest taints, those that open most of them first.

    The control plane's are the last resort.
    """
    kept = [set(place.untolerated(node)) for node in nodes if place.untolerated(node)]
    workers = [taints for taints in kept if not any(map(_OF_CONTROL_PLANE.match, taints))]
    fewest = min(map(len, workers or kept), default=0)
    ways = Counter(
        tuple(sorted(taints)) for taints in workers or kept if len(taints) == fewest
    ).most_common()
    return [" ".join(f"--toleration {shlex.quote(taint)}" for taint in way) for way, _ in ways]


def _asked(spec: CloudSpec) -> tuple[Decimal, Decimal]:
    """CPU and memory of the operator's pod, as the user's values have it."""
    own = spec.operator.values.get("operator") or {}
    cpu = memory = Decimal(0)
    for part, defaults in _OPERATOR.items():
        said = ((own.get(part) or {}).get("resources") or {}).get("requests") or {}
        requests = {**defaults, **said}
        cpu += amount(requests["cpu"] or 0)
        memory += amount(requests["memory"] or 0)
    return cpu, memory


def pod_namespaces(
    kubernetes: Kubernetes, spec: CloudSpec, cluster: Cluster, nodes: Sequence[Document]
) -> tuple[str, ...]:
    """Where pods are that come of a setup."""
    gateway = (gateway_controller.home(kubernetes),) if makes_gateway(spec) else ()
    pools = () if spec.gpu == "off" else gpu.survey(cluster.node_pools, nodes, [])
    if pools:
        pools = gpu.survey(cluster.node_pools, nodes, gpu.device_plugins(kubernetes))
    plugin = (gpu.NAMESPACE,) if pools and not gpu.all_served(pools) else ()
    return (spec.namespace, *gateway, *plugin)


def pull_secrets(
    kubernetes: Kubernetes, names: Sequence[str], namespaces: Callable[[], Sequence[str]]
) -> Finding:
    """Whether each is in each namespace, and of the kind that nodes log in with."""
    places, missing, commands = namespaces(), [], []
    for namespace in places:
        lacking = [name for name in names if not _logs_in(kubernetes, name, namespace)]
        missing += [f"{namespace}/{name}" for name in lacking]
        if lacking and kubernetes.get("v1", "Namespace", namespace) is None:
            commands.append(kubernetes.access.kubectl(f"create namespace {namespace}"))
        commands += [
            kubernetes.access.kubectl(
                f"create secret generic {name} -n {namespace} --type={_LOGINS[0]}",
                "--from-file=.dockerconfigjson=FILE",
            )
            for name in lacking
        ]
    if not missing:
        return passed(f"in {', '.join(places)}")
    return Finding(
        Status.FAIL,
        f"no Secret with logins at a registry: {', '.join(missing)}",
        ("FILE is one as docker login writes it; what it says is copied nowhere by this tool",),
        fix="\n".join(commands),
    )


def _logs_in(kubernetes: Kubernetes, name: str, namespace: str) -> bool:
    found = kubernetes.get("v1", "Secret", name, namespace)
    return found is not None and found.get("type") in _LOGINS


def types_fit(
    file: str,
    nodes: Sequence[Document],
    more: Callable[[], bool] = lambda: True,
    values: Mapping[str, Any] = MappingProxyType({}),
) -> Finding:
    """Whether each type in a file fits some node that is there.

    That one fits none is a failure only where no `more` will come.
    """
    if not nodes:
        return Finding(Status.UNKNOWN, "there is no node yet")
    types = of_file(Path(file))
    missing = unsatisfied_of(types, nodes)
    if not missing:
        closed = kept_out(values, types, nodes)
        return _closed(closed) if closed else passed()
    may_come = more()
    unless = ", unless nodes are added" if may_come else ", and nothing adds nodes"
    return Finding(
        Status.WARN if may_come else Status.FAIL,
        f"{not_satisfied(missing)}: what asks for it waits for ever{unless}",
        fix="make it smaller, or let --instance-types auto write types that fit",
    )


def _closed(closed: Mapping[str, Sequence[str]]) -> Finding:
    return Finding(
        Status.WARN,
        f"{taints_of(closed)}: what asks for it waits for ever",
        fix="add --instance-types auto, whose types tolerate the taints of the nodes with room "
        "for them; or give types with `tolerations` of your own",
    )


def _used(kubernetes: Kubernetes) -> Mapping[str, tuple[Decimal, Decimal]]:
    """CPU and memory that pods ask for, by node."""
    used: dict[str, tuple[Decimal, Decimal]] = {}
    living = "status.phase!=Succeeded,status.phase!=Failed"
    for pod in kubernetes.list("v1", "Pod", field_selector=living):
        name = pod["spec"].get("nodeName")
        if name:
            cpu, memory = used.get(name, (Decimal(0), Decimal(0)))
            for container in pod["spec"].get("containers") or ():
                asked = (container.get("resources") or {}).get("requests") or {}
                cpu += amount(asked.get("cpu", 0))
                memory += amount(asked.get("memory", 0))
            used[name] = (cpu, memory)
    return used


def _free(node: Document, used: Mapping[str, tuple[Decimal, Decimal]]) -> tuple[Decimal, Decimal]:
    offered = (node.get("status") or {}).get("allocatable") or {}
    cpu, memory = used.get(node["metadata"]["name"], (Decimal(0), Decimal(0)))
    return amount(offered.get("cpu", 0)) - cpu, amount(offered.get("memory", 0)) - memory


def _minor(text: str) -> tuple[int, int] | None:
    found = re.match(r"v?(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None
