"""LimitRanges that stand in the way of a pod, or would help one: which, and by which field."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from anyscale_k8s_cli.cluster.admission import Denial
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
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
# Containers that the operator's values reach.
_BY_VALUES = frozenset({"operator", "vector"})
_LITTLE = {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "1Gi"}
# No less than what the operator's containers ask for: it holds for those, too.
_ENOUGH = {"cpu": "2", "memory": "2Gi", "ephemeral-storage": "10Gi"}
_SAY_THEM = (
    "say with --values what the operator's containers take "
    "(operator.container.resources, operator.vector.resources)"
)
_NO_HOOK = (
    "or have no hook, which cannot be told: workloads.instanceTypes.validationHook.enabled=false "
    "with --values"
)


def at(kubernetes: Kubernetes, namespace: str) -> Sequence[Document]:
    """Those of a namespace; none where they may not be looked at."""
    try:
        return kubernetes.list("v1", "LimitRange", namespace)
    except KubernetesError:
        return ()


def wider(kubernetes: Kubernetes, namespace: str, denial: Denial) -> Iterator[str]:
    """The commands by which what a range forbids is within it."""
    for bound, resource, kind, value in _OUT_OF_RANGE.findall(denial.words):
        field = "max" if bound == "maximum" else "min"
        for found in at(kubernetes, namespace):
            for index, item in enumerate(found["spec"].get("limits") or ()):
                if item.get("type") == kind and resource in (item.get(field) or {}):
                    path = f"/spec/limits/{index}/{field}/{resource}"
                    operation = {"op": "replace", "path": path, "value": value}
                    yield kubernetes.access.kubectl(_patch(found, namespace, operation))


def unsaid(denial: Denial) -> Mapping[str, frozenset[str]]:
    """By what a quota wants to be told (`requests.cpu`), the containers that do not say it."""
    found = _UNSAID.search(denial.words)
    wanted: dict[str, frozenset[str]] = {}
    for part in found.group(1).split(";") if found else ():
        names, _, containers = part.partition(" for: ")
        for name in names.split(","):
            wanted[name.strip()] = frozenset(filter(None, re.split(r"[,\s]+", containers)))
    return wanted


def defaults_for(kubernetes: Kubernetes, namespace: str, denial: Denial) -> str:
    """How what a quota wants to be told is told: by values where these reach, else by a range.

    A range's `default` is a limit, and holds for the operator too, which asks for more than is
    usual: it is given only where the quota wants limits.
    """
    wanted = unsaid(denial)
    told = {*frozenset().union(*wanted.values())}
    if told and told <= _BY_VALUES:
        return f"{_SAY_THEM}, {AGAIN}"
    item: dict[str, Any] = {"type": "Container"}
    for name in wanted:
        side, _, resource = name.rpartition(".")
        if side == "limits":
            item.setdefault("default", {})[resource] = _ENOUGH.get(resource, "1")
        item.setdefault("defaultRequest", {})[resource] = _LITTLE.get(resource, "1")
    limit_range = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "defaults", "namespace": namespace},
        "spec": {"limits": [item]},
    }
    written = shlex.quote(json.dumps(limit_range))
    return "\n".join(
        (
            f"echo {written} | {kubernetes.access.kubectl('apply -f -')}",
            f"this is for an administrator of the namespace; {AGAIN}",
            *((_NO_HOOK,) if "validate" in told else ()),
            *((f"besides, {_SAY_THEM}",) if told & _BY_VALUES else ()),
        )
    )


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
                            mend=_patch(found, namespace, {"op": "remove", "path": path}),
                        )
    return None


def _patch(found: Document, namespace: str, operation: Mapping[str, str]) -> str:
    return (
        f"patch limitrange {found['metadata']['name']} -n {namespace} "
        f"--type json -p {shlex.quote(json.dumps([operation]))}"
    )
