"""Checks by work: a pod as one of Ray's computes something, another one sees a GPU of each kind.

That a pod does not come up is no "unknown" here: workloads would not come up either. Only
what is the tool's own (its image, a name that is taken) says nothing of them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import instance_types, placement
from anyscale_k8s_cli.addons.gpu import RESOURCE, allocatable_gpus
from anyscale_k8s_cli.addons.pod_probe import FUNCTIONAL, FUNCTIONAL_GPU, Answer, PodProbe, Question
from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, also, declared
from anyscale_k8s_cli.checks.nodes import BY_NODES, Machines, by_nodes, labels_of, selected_by
from anyscale_k8s_cli.checks.pods import storage
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.one_off import Unfinished
from anyscale_k8s_cli.cluster.transport import KubernetesError

# Seconds for an autoscaler to bring a machine with a GPU, and that to be ready.
_SCALE_UP = 1200.0
_OWN_IMAGE = ("ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_BY_A_WEBHOOK = "webhook"
_NO_GPU_FREE = f"Insufficient {RESOURCE}"
_WORST_FIRST = (Status.FAIL, Status.WARN, Status.UNKNOWN, Status.PASS)


@dataclass(frozen=True)
class Site:
    """Where Ray's pods would run.

    With `scale_up` pools that have no node are tried as well. `again` mends what is ours.
    """

    probe: PodProbe
    machines: Machines
    again: str
    scale_up: bool = False

    @property
    def values(self) -> Mapping[str, Any]:
        return self.machines.values

    @property
    def nodes(self) -> Sequence[Document]:
        return self.machines.nodes

    @property
    def types(self) -> Mapping[str, Document]:
        """The operator's instance types; none where it has no table."""
        return self.machines.types or {}


@dataclass(frozen=True)
class Kind:
    """Accelerators that the operator knows by one name and finds by a label.

    `absent` says that no node has one yet.
    """

    name: str
    label: tuple[str, str]
    absent: bool = False


def functional_checks(site: Site, question: Callable[[], Question]) -> tuple[BoundCheck, ...]:
    """`question` gives the bucket; all else of it is not asked."""
    return (
        declared.FUNCTIONAL_JOB.bind(lambda: works(site, question())),
        declared.FUNCTIONAL_GPU.bind(lambda: every_gpu(site)),
    )


# -- one of Ray's pods ----------------------------------------------------------------


def works(site: Site, question: Question) -> Finding:
    """A pod of the smallest instance type computes, and puts its result into the bucket."""
    types = site.types
    name = instance_types.smallest(types)
    place = placement.of_type(site.values, types[name]) if name else None
    what = f"a pod of instance type {name}" if name else "a pod"
    asked = replace(question, hosts=(), work=secrets.token_hex(8))
    probe = replace(site.probe, name=FUNCTIONAL, placement=place)
    told = _asked(probe, asked, what, site)
    if isinstance(told, Finding):
        return told
    return _worked(told, asked, what, site.again)


def _worked(told: Sequence[Answer], asked: Question, what: str, again: str) -> Finding:
    work = next(item for item in told if item.part == "work")
    if work.said != asked.result:
        return Finding(
            Status.FAIL,
            f"{what} computed something else than what it was given comes to",
            (f"{work.said} on {work.at}, instead of {asked.result}",),
            f"do not trust the node {work.at}: drain it",
        )
    done = f"{what} computed on {work.at} for {work.seconds} s"
    if asked.storage is None:
        return Finding(Status.PASS, done)
    used = storage(told, asked.storage.url, again)
    line = f"{done}; its result in {asked.storage.url}: {used.detail}"
    return replace(used, detail=line if used.status is Status.PASS else f"{done}; {used.detail}")


# -- accelerators ---------------------------------------------------------------------


def every_gpu(site: Site) -> Finding:
    """One pod for each kind of accelerator, one after the other."""
    kinds, untried = _kinds(site)
    found = [_seen(site, kind) for kind in kinds]
    if not found and not untried:
        return Finding(Status.UNKNOWN, "no node has a GPU, and no pool would bring one")
    if not found:
        return Finding(
            Status.UNKNOWN, f"not tried: {'; '.join(untried)}", fix=_mend_untried(site, untried)
        )
    worst = min(found, key=lambda item: _WORST_FIRST.index(item.status))
    same = [item for item in found if item.status is worst.status]
    left_out = [f"not tried: {line}" for line in untried]
    fixes = dict.fromkeys(item.fix for item in same if item.fix)
    others = (f"{item.status.value}: {item.detail}" for item in found if item not in same)
    return Finding(
        worst.status,
        "; ".join((*(item.detail for item in same), *left_out)),
        (*(line for item in found for line in item.evidence), *others),
        "\n".join(fixes),
    )


def _mend_untried(site: Site, untried: Sequence[str]) -> str:
    if any("--scale-up" in line for line in untried):
        return "add --scale-up to have a node brought for it, or start one yourself"
    return also(site.again, BY_NODES)


def _kinds(site: Site) -> tuple[list[Kind], list[str]]:
    """Those to try, and a line for each that is not tried."""
    key, names = selected_by(site.values)
    kinds: dict[str, Kind] = {}
    untried = []
    for node in filter(allocatable_gpus, site.nodes):
        value = labels_of(node).get(key, "")
        if value in names:
            kinds[value] = Kind(names[value], (key, value))
        else:
            name = node["metadata"]["name"]
            untried.append(f"node {name} has no {key} that is in the operator's table")
    for pool in site.machines.cluster.node_pools:
        value = pool.labels.get(key, "")
        if not pool.gpu or pool.size or value in kinds:
            continue
        where = f"pool {pool.name}, which has no node now"
        if value not in names:
            untried.append(f"{where} and tells no {key} of those that may come")
        elif site.scale_up:
            kinds[value] = Kind(names[value], (key, value), absent=True)
        else:
            untried.append(f"{names[value]} of {where} (--scale-up tries it)")
    return list(kinds.values()), untried


def _seen(site: Site, kind: Kind) -> Finding:
    types = site.types
    own = types.get(instance_types.smallest_with(types, kind.name))
    place = placement.with_gpu(site.values, kind.label, own)
    seconds = _SCALE_UP if kind.absent else site.probe.seconds
    probe = replace(site.probe, name=FUNCTIONAL_GPU, placement=place, seconds=seconds)
    asked = Question(work=secrets.token_hex(8), gpu=True)
    told = _asked(probe, asked, f"a pod with a {kind.name}", site)
    if isinstance(told, Finding):
        return told
    where = next(item.at for item in told if item.part == "work")
    return _of_devices([item for item in told if item.part == "gpu"], kind, where)


def _of_devices(devices: Sequence[Answer], kind: Kind, where: str) -> Finding:
    evidence = tuple(f"{kind.name} on {where}: {item.step}: {item.said}" for item in devices)
    lost = next((item for item in devices if not item.ok), None)
    if lost is not None:
        return Finding(
            Status.FAIL,
            f"a pod on {where} was given a {kind.name} and sees none: {lost.said}",
            evidence,
            f"see that the driver and NVIDIA's container runtime are on {where}, and that they "
            "fit each other",
        )
    # A machine's name says too little of its GPUs, and a device file nothing.
    key, labelled = kind.label
    named = [item for item in devices if item.kind == "driver" and "gpu" in key]
    other = [item for item in named if _family(item.step) != _family(labelled)]
    if other:
        return Finding(
            Status.WARN,
            f"{where} is labelled {labelled}, and its GPU is a {other[0].step}",
            evidence,
            f"correct the label {key} of the node, or of the pool that it is from",
        )
    return Finding(Status.PASS, f"{kind.name}: {devices[0].step} on {where}", evidence)


def _family(name: str) -> str:
    return instance_types.accelerator(name.replace(" ", "-")).partition("-")[0]


# -- what keeps a pod from its work -------------------------------------------------------


def _asked(
    probe: PodProbe, question: Question, what: str, site: Site
) -> tuple[Answer, ...] | Finding:
    """What the pod answers, or why it cannot. Raises what tells nothing of Ray's pods."""
    try:
        return probe.ask(question)
    except Unfinished as problem:
        if any(word in problem.cause for word in _OWN_IMAGE):
            raise
        return _hindered(problem, probe, what, site)
    except KubernetesError as problem:
        if _BY_A_WEBHOOK not in str(problem):
            raise
        return _hindered(problem, probe, what, site)


def _hindered(problem: errors.CliError, probe: PodProbe, what: str, site: Site) -> Finding:
    # What is free is another question than what can be used.
    busy = _NO_GPU_FREE in problem.cause and _all_in_use(probe, site)
    fixes = list(_fixes(problem.cause, probe, site))
    return Finding(
        Status.UNKNOWN if busy else Status.FAIL,
        f"{what} cannot do its work: {problem.cause or problem.message}",
        problem.evidence,
        "\n".join(fixes) or problem.fix,
    )


def _all_in_use(probe: PodProbe, site: Site) -> bool:
    """Whether a node that the pod may go to has GPUs, so that others must have taken them."""
    wanted = probe.placement.node_selector if probe.placement else {}
    return any(
        allocatable_gpus(node) and wanted.items() <= labels_of(node).items() for node in site.nodes
    )


def _fixes(cause: str, probe: PodProbe, site: Site) -> Iterator[str]:
    """For each of Kubernetes' own words in a cause, what mends it. Nodes differ in theirs."""
    for words, fix in _MENDED_BY.items():
        if words in cause:
            yield fix(probe, site)
    if "Insufficient" in cause and _NO_GPU_FREE not in cause:
        yield (
            "add nodes with room for it, or let the autoscaler do so; or write smaller types: "
            + (also(site.again, BY_NODES))
        )


def _in_namespace(words: str, probe: PodProbe) -> str:
    return probe.kubernetes.access.kubectl(f"-n {probe.install.namespace} {words}")


def _other_labels(probe: PodProbe, site: Site) -> str:
    place = probe.placement or placement.Placement()
    wanted = [f"{key}={value}" for key, value in place.node_selector.items()]
    required = (place.affinity.get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {"nodeSelectorTerms": ()}
    for term in required["nodeSelectorTerms"]:
        for item in term["matchExpressions"]:
            values = f" {'|'.join(item['values'])}" if item.get("values") else ""
            wanted.append(f"{item['key']} {item['operator']}{values}")
    return (
        f"pods of the operator's go to nodes with {', '.join(wanted)}: label yours so, or set up "
        f"again, which asks for the labels that they have: {site.again}"
    )


def _tolerated(_: PodProbe, site: Site) -> str:
    """Types that are made of the nodes tolerate their taints, but of those that came since."""
    if BY_NODES in site.again and not placement.kept_out(site.values, site.types, site.nodes):
        return (
            "the nodes without room for it are those that it may go to: add nodes like them, or "
            "take the taint that is named from another: kubectl taint nodes NODE KEY-"
        )
    return f"let the instance types tolerate the taint that is named: {by_nodes(site.again)}"


_MENDED_BY: Mapping[str, Callable[[PodProbe, Site], str]] = {
    "exceeded quota": lambda probe, _: (
        f"{_in_namespace('describe resourcequota', probe)}\nraise what it shows as used up"
    ),
    _BY_A_WEBHOOK: lambda probe, _: (
        f"let the webhook that is named admit pods in the namespace {probe.install.namespace}"
    ),
    "violates PodSecurity": lambda probe, _: probe.kubernetes.access.kubectl(
        f"label namespace {probe.install.namespace} --overwrite "
        "pod-security.kubernetes.io/enforce=privileged"
    ),
    "service account": lambda _, site: site.again,
    "CreateContainerConfigError": lambda _, site: site.again,
    _NO_GPU_FREE: lambda probe, _: (
        f"{probe.kubernetes.access.kubectl('get pods --all-namespaces')}\n"
        "end a pod that uses a GPU, or add a node that has one"
    ),
    "untolerated taint": _tolerated,
    "didn't match Pod's node affinity/selector": _other_labels,
    "were unschedulable": lambda probe, _: (
        f"{probe.kubernetes.access.kubectl('get nodes')}\n"
        "let a node take pods again that is cordoned: kubectl uncordon NODE"
    ),
}
