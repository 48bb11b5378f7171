"""LimitRanges that stand in the way of a pod, or would help one: which, and by which field."""

from __future__ import annotations

import copy
import itertools
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.checks.quotas import containers
from anyscale_k8s_cli.cluster.admission import Denial
from anyscale_k8s_cli.cluster.documents import Document, Documents, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.quantities import amount
from anyscale_k8s_cli.cluster.transport import KubernetesError

AGAIN = "then run the same command again"
_OUT_OF_RANGE = re.compile(
    r"(maximum|minimum) (\S+) usage per (Container|Pod) is [^,\]]+, but \w+ is ([^,\]\s]+)"
)
_UNSAID = re.compile(r"must specify (.+)")
_MORE_THAN_LIMIT = re.compile(
    r'Invalid value: "?([^":\s]+)"?: must be less than or equal to (\S+) limit of ([^\s,\]]+)'
)
# What is filled in on either side, where a container of the charts says nothing.
_FILLED_IN = ("default", "limits"), ("defaultRequest", "requests")
# Where the operator's values say what its containers take.
_BY_VALUES = {"operator": ("operator", "container"), "vector": ("operator", "vector")}
_LITTLE = {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "1Gi"}
# Where containers ask for more, as much as these ask for.
_ENOUGH = {"cpu": "2", "memory": "2Gi", "ephemeral-storage": "10Gi"}
_VALUES = "resources.yaml"
_BY_FILE = f"give it the file besides what you said before: --values {_VALUES}"
_NO_HOOK = (
    "without the hook that looks at instance types there is one pod less that has to be told: a "
    "file for --values that has workloads.instanceTypes.validationHook.enabled: false"
)


@dataclass(frozen=True)
class Told:
    """How what quotas want to be told is told: commands of an administrator, and words."""

    commands: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


def at(kubernetes: Kubernetes, namespace: str) -> Sequence[Document]:
    """Those of a namespace; none where they may not be looked at."""
    try:
        return kubernetes.list("v1", "LimitRange", namespace)
    except KubernetesError:
        return ()


def items(kubernetes: Kubernetes, namespace: str) -> Documents:
    """What the ranges of a namespace say, each about one kind of object."""
    return [item for found in at(kubernetes, namespace) for item in found["spec"]["limits"]]


def filled(pod: Document, items: Iterable[Document]) -> Document:
    """The pod with what the API server and these fill in where its containers say nothing."""
    found = copy.deepcopy(pod)
    of_containers = [item for item in items if item.get("type") == "Container"]
    for container in containers(found):
        said = container.get("resources") or {}
        limits = dict(said.get("limits") or {})
        # A request that is left out is as high as the limit.
        requests = {**limits, **(said.get("requests") or {})}
        for item in of_containers:
            limits = {**(item.get("default") or {}), **limits}
            requests = {**(item.get("defaultRequest") or {}), **requests}
        container["resources"] = {"limits": limits, "requests": requests}
    return found


def wider(kubernetes: Kubernetes, namespace: str, denials: Iterable[Denial]) -> Iterator[str]:
    """The commands by which all that ranges forbid is within them."""
    wanted: dict[tuple[str, str], list[str]] = {}
    for denial in denials:
        for bound, resource, kind, value in _OUT_OF_RANGE.findall(denial.words):
            field = "max" if bound == "maximum" else "min"
            for found in at(kubernetes, namespace):
                for index, item in enumerate(found["spec"].get("limits") or ()):
                    if item.get("type") == kind and resource in (item.get(field) or {}):
                        path = f"/spec/limits/{index}/{field}/{resource}"
                        wanted.setdefault((found["metadata"]["name"], path), []).append(value)
    for (name, path), values in wanted.items():
        value = (max if "/max/" in path else min)(values, key=amount)
        operation = {"op": "replace", "path": path, "value": value}
        yield kubernetes.access.kubectl(_patch(name, namespace, operation))


def unsaid(denial: Denial) -> Mapping[str, frozenset[str]]:
    """By what a quota wants to be told (`requests.cpu`), the containers that do not say it."""
    found = _UNSAID.search(denial.words)
    wanted: dict[str, frozenset[str]] = {}
    for part in found.group(1).split(";") if found else ():
        names, _, containers = part.partition(" for: ")
        for name in names.split(","):
            wanted[name.strip()] = frozenset(filter(None, re.split(r"[,\s]+", containers)))
    return wanted


def proposal(silent: Mapping[str, Iterable[str]], pods: Iterable[Document]) -> Document | None:
    """A range's item by which containers say what quotas want to be told; None for nothing.

    A range's `default` is a limit, and holds for the operator too, which asks for more than is
    usual: it is given only where quotas want limits, and is as much as the pods ask for.
    """
    if not silent:
        return None
    item: dict[str, Any] = {"type": "Container"}
    every = [container for pod in pods for container in containers(pod)]
    for name in silent:
        side, _, resource = name.rpartition(".")
        if side == "limits":
            asked = (((each.get("resources") or {}).get("requests") or {}) for each in every)
            most = [each[resource] for each in asked if resource in each]
            enough = max((_ENOUGH.get(resource, "1"), *most), key=amount)
            item.setdefault("default", {})[resource] = enough
        item.setdefault("defaultRequest", {})[resource] = _LITTLE.get(resource, "1")
    return item


def told(
    kubernetes: Kubernetes,
    namespace: str,
    silent: Mapping[str, Iterable[str]],
    proposal: Document | None,
) -> Told:
    """How the proposal is made: by values where these reach, else as a range."""
    if proposal is None:
        return Told()
    names = {name for each in silent.values() for name in each}
    if names and names <= {*_BY_VALUES}:
        written = json.dumps(_as_values(names, proposal))
        return Told(words=(f"echo {shlex.quote(written)} > {_VALUES}", _BY_FILE))
    there = {found["metadata"]["name"] for found in at(kubernetes, namespace)}
    free = (f"defaults{number or ''}" for number in itertools.count())
    limit_range = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {
            "name": next(name for name in free if name not in there),
            "namespace": namespace,
        },
        "spec": {"limits": [proposal]},
    }
    command = (
        f"echo {shlex.quote(json.dumps(limit_range))} | {kubernetes.access.kubectl('apply -f -')}"
    )
    return Told((command,), (_NO_HOOK,) if "validate" in names else ())


def _as_values(names: Iterable[str], proposal: Document) -> Document:
    resources = {side: proposal[field] for field, side in _FILLED_IN if field in proposal}
    values: dict[str, Any] = {}
    for name in sorted(names):
        above, key = _BY_VALUES[name]
        values.setdefault(above, {})[key] = {"resources": resources}
    return values


def filled_in(kubernetes: Kubernetes, namespace: str, words: str) -> Denial | None:
    """The range whose default makes a pod impossible; None where none of the namespace does."""
    for request, resource, limit in _MORE_THAN_LIMIT.findall(words):
        for found in at(kubernetes, namespace):
            for index, item in enumerate(found["spec"].get("limits") or ()):
                for field, side in _FILLED_IN:
                    value = str((item.get(field) or {}).get(resource) or "")
                    if value and value == (limit if side == "limits" else request):
                        name = found["metadata"]["name"]
                        path = f"/spec/limits/{index}/{field}/{resource}"
                        return Denial(
                            f"the LimitRange {name} of the namespace {namespace}, which fills in "
                            f"{side}.{resource}={value} ({field})",
                            words,
                            f"get limitrange {name} -n {namespace} -o yaml",
                            Reference("v1", "LimitRange", name, namespace),
                            mend=_patch(name, namespace, {"op": "remove", "path": path}),
                        )
    return None


def _patch(name: str, namespace: str, operation: Mapping[str, str]) -> str:
    operations = shlex.quote(json.dumps([operation]))
    return f"patch limitrange {name} -n {namespace} --type json -p {operations}"
