"""What comes into a namespace, all of it together, in the amounts that quotas count.

https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from anyscale_k8s_cli.cluster.documents import Document, Documents, Reference
from anyscale_k8s_cli.cluster.dry_runs import Outcome
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.quantities import amount, written

COMPUTE = ("requests", "limits")
_ONE, _NONE = Decimal(1), Decimal(0)
# Kinds that quotas count by their plain names, too.
_PLAIN = frozenset({"ConfigMap", "PersistentVolumeClaim", "Pod", "Secret", "Service"})
# What each container has to say where a quota is on it.
_DEMANDED = frozenset(
    f"{side}{name}" for side in ("", "requests.", "limits.") for name in ("cpu", "memory")
)

Fill = Callable[[Document], Document]


@dataclass(frozen=True)
class Short:
    """One amount of a quota that has no room for what comes."""

    quota: str
    namespace: str
    name: str
    hard: str
    used: str
    needed: Decimal

    @property
    def enough(self) -> str:
        """The least that would do."""
        return written(self.name, amount(self.used) + self.needed)

    def __str__(self) -> str:
        return (
            f"the ResourceQuota {self.quota} of the namespace {self.namespace} has no room: "
            f"{self.name}: limit {self.hard}, used {self.used}, "
            f"needed {written(self.name, self.needed)}"
        )


def of_all_pods(quotas: Documents) -> Documents:
    """Those for some pods alone are left out: which these are is not known here."""
    return [
        item
        for item in quotas
        if not item["spec"].get("scopes") and not item["spec"].get("scopeSelector")
    ]


def hard(quota: Document) -> Mapping[str, str]:
    found: Mapping[str, str] = quota["spec"].get("hard") or {}
    return found


def comes(item: Outcome) -> bool:
    """Whether the object is going to be made: a dry run gives no version to what is not there."""
    if item.answer is not None:
        return item.trial.new or not item.answer["metadata"].get("resourceVersion")
    return item.denial is not None or (item.trial.new and bool(item.untried))


def as_stored(item: Outcome) -> Document:
    """As far as it is known: what is refused is as it was sent."""
    return item.trial.manifest if item.answer is None else item.answer


def containers(pod: Document) -> Documents:
    return [*(pod["spec"].get("initContainers") or ()), *(pod["spec"].get("containers") or ())]


def unsaid(quota: Document, pod: Document) -> Iterator[tuple[str, str]]:
    """What a quota wants to be told, and each container of the pod that does not say it."""
    for name in sorted(_DEMANDED & {*hard(quota)}):
        side, _, resource = name.rpartition(".")
        for container in containers(pod):
            said = (container.get("resources") or {}).get(side or "requests") or {}
            if resource not in said:
                yield name, str(container["name"])


def short(quota: Document, needed: Mapping[str, Decimal]) -> Iterator[Short]:
    used = (quota.get("status") or {}).get("used") or {}
    at = Reference.of(quota)
    for name, most in hard(quota).items():
        there, more = str(used.get(name, 0)), needed.get(name, _NONE)
        if more and amount(there) + more > amount(most):
            yield Short(at.name, at.namespace or "", name, str(most), there, more)


def needed(
    kubernetes: Kubernetes, outcomes: Sequence[Outcome], fill: Fill
) -> Mapping[str, Decimal]:
    """By the names of quotas, with `fill` for what pods leave out.

    Hooks have ended when the rest begins: the larger of the two counts.
    """
    sides = [
        _sum(kubernetes, [item for item in outcomes if item.trial.hook is hooks], fill)
        for hooks in (True, False)
    ]
    names = {name for side in sides for name in side}
    return {name: max(side.get(name, _NONE) for side in sides) for name in names}


def _sum(kubernetes: Kubernetes, outcomes: Sequence[Outcome], fill: Fill) -> Mapping[str, Decimal]:
    total: dict[str, Decimal] = {}
    for item in outcomes:
        found = as_stored(item)
        for name, value in _counts(kubernetes, fill(found) if found["kind"] == "Pod" else found):
            total[name] = total.get(name, _NONE) + value * item.trial.copies
    return total


def _counts(kubernetes: Kubernetes, found: Document) -> Iterator[tuple[str, Decimal]]:
    kind, group = found["kind"], found["apiVersion"].rpartition("/")[0]
    plural = kubernetes.plural(found["apiVersion"], kind)
    if plural:
        yield f"count/{plural}.{group}" if group else f"count/{plural}", _ONE
    if plural and kind in _PLAIN:
        yield plural, _ONE
    if kind == "Service":
        yield from _of_service(found["spec"])
    if kind == "Pod":
        yield from _of_pod(found)


def _of_service(spec: Document) -> Iterator[tuple[str, Decimal]]:
    balanced = spec.get("type") == "LoadBalancer"
    if balanced:
        yield "services.loadbalancers", _ONE
    if spec.get("type") == "NodePort" or (
        balanced and spec.get("allocateLoadBalancerNodePorts", True)
    ):
        yield "services.nodeports", Decimal(len(spec.get("ports") or ()))


def _of_pod(pod: Document) -> Iterator[tuple[str, Decimal]]:
    """All containers together, or the largest of those that run before them."""
    for side in COMPUTE:
        total: dict[str, Decimal] = {}
        for container in pod["spec"].get("containers") or ():
            for name, value in ((container.get("resources") or {}).get(side) or {}).items():
                total[name] = total.get(name, _NONE) + amount(value)
        for container in pod["spec"].get("initContainers") or ():
            for name, value in ((container.get("resources") or {}).get(side) or {}).items():
                total[name] = max(total.get(name, _NONE), amount(value))
        for name, value in total.items():
            yield f"{side}.{name}", value
            if side == "requests":
                yield name, value
