"""Which node a pod fits on, and what the scheduler says when there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from anyscale_k8s_cli.sandbox.kubernetes.objects import dig, labels_of, name_of
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.selectors import from_expressions, matches_labels

_SUFFIXES = {
    "m": Decimal("0.001"),
    "k": Decimal(1000),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("MGTPE", start=2)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}
_DONE = ("Succeeded", "Failed")

Resources = Mapping[str, Decimal]


def parse_quantity(text: str | float) -> Decimal:
    """`500m`, `2Gi`, `4`. Raises ValueError."""
    text = str(text)
    suffix = next((s for s in sorted(_SUFFIXES, key=len, reverse=True) if text.endswith(s)), "")
    try:
        number = Decimal(text.removesuffix(suffix))
    except ArithmeticError as error:
        raise ValueError(f"not a quantity: {text!r}") from error
    return number * _SUFFIXES.get(suffix, Decimal(1))


def _quantities(values: Mapping[str, str] | None) -> Counter[str]:
    result: Counter[str] = Counter()
    for name, quantity in (values or {}).items():
        result[name] = parse_quantity(quantity)  # type: ignore[assignment]
    return result


def requests_of(pod: Object) -> dict[str, Decimal]:
    """What a pod asks for: its containers together, or its largest init container."""
    total: dict[str, Decimal] = {}
    for container in pod["spec"].get("containers") or ():
        for name, amount in _quantities(dig(container, "resources", "requests")).items():
            total[name] = total.get(name, Decimal(0)) + amount
    for container in pod["spec"].get("initContainers") or ():
        for name, amount in _quantities(dig(container, "resources", "requests")).items():
            total[name] = max(total.get(name, Decimal(0)), Decimal(amount))
    return total


def used_on(node: str, pods: Iterable[Object]) -> dict[str, Decimal]:
    used: dict[str, Decimal] = {"pods": Decimal(0)}
    for pod in pods:
        if pod["spec"].get("nodeName") != node or dig(pod, "status", "phase") in _DONE:
            continue
        used["pods"] += 1
        for name, amount in requests_of(pod).items():
            used[name] = used.get(name, Decimal(0)) + amount
    return used


def tolerates(pod: Object, taint: Object) -> bool:
    for toleration in pod["spec"].get("tolerations") or ():
        if toleration.get("effect") not in (None, "", taint["effect"]):
            continue
        if not toleration.get("key") and toleration.get("operator") == "Exists":
            return True
        if toleration.get("key") != taint["key"]:
            continue
        anything = toleration.get("operator") == "Exists"
        if anything or toleration.get("value", "") == taint.get("value", ""):
            return True
    return False


def matches_node(pod: Object, node: Object) -> bool:
    """Whether node selector and required node affinity admit the node."""
    labels = labels_of(node)
    selector = pod["spec"].get("nodeSelector") or {}
    if any(labels.get(key) != value for key, value in selector.items()):
        return False
    required = dig(
        pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"
    )
    terms = (required or {}).get("nodeSelectorTerms")
    return terms is None or any(_term_matches(term, node) for term in terms)


def _term_matches(term: Object, node: Object) -> bool:
    expressions, fields = term.get("matchExpressions"), term.get("matchFields")
    if not expressions and not fields:
        return False
    return matches_labels(from_expressions(expressions), labels_of(node)) and matches_labels(
        from_expressions(fields), {"metadata.name": name_of(node)}
    )


def untolerated_taint(pod: Object, node: Object) -> Object | None:
    taints: list[Object] = dig(node, "spec", "taints") or []
    if dig(node, "spec", "unschedulable"):
        taints = [*taints, {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]
    for taint in taints:
        if taint["effect"] in ("NoSchedule", "NoExecute") and not tolerates(pod, taint):
            return taint
    return None


def obstacles(pod: Object, node: Object, pods: Iterable[Object]) -> list[str]:
    """Why the pod cannot go to the node, in the scheduler's words; empty if it can."""
    if not matches_node(pod, node):
        return ["node(s) didn't match Pod's node affinity/selector"]
    taint = untolerated_taint(pod, node)
    if taint and taint["key"] == "node.kubernetes.io/unschedulable":
        return ["node(s) were unschedulable"]
    if taint:
        return [f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"]
    allocatable = _quantities(dig(node, "status", "allocatable"))
    used = used_on(name_of(node), pods)
    lacking = []
    if "pods" in allocatable and used["pods"] + 1 > allocatable["pods"]:
        lacking.append("Too many pods")
    for name, amount in requests_of(pod).items():
        if used.get(name, Decimal(0)) + amount > allocatable[name]:
            lacking.append(f"Insufficient {name}")
    return lacking


def choose_node(pod: Object, nodes: Sequence[Object], pods: Sequence[Object]) -> tuple[str, str]:
    """The node with the fewest pods that takes the pod, or '' and the scheduler's message."""
    reasons: Counter[str] = Counter()
    fitting: list[tuple[Decimal, str]] = []
    for node in nodes:
        found = obstacles(pod, node, pods)
        reasons.update(found)
        if not found:
            fitting.append((used_on(name_of(node), pods)["pods"], name_of(node)))
    if fitting:
        return min(fitting)[1], ""
    if not nodes:
        return "", "no nodes available to schedule pods"
    listed = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    total = f"0/{len(nodes)} nodes are available"
    helpless = "Preemption is not helpful for scheduling."
    return "", f"{total}: {listed}. preemption: {total}: {len(nodes)} {helpless}"
