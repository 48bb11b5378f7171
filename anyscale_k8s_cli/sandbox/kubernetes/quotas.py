"""ResourceQuotas: what counts against them, and what they refuse.

https://kubernetes.io/docs/concepts/policy/resource-quotas/
Quotas for some pods alone (`scopes`, `scopeSelector`) are of no effect here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from anyscale_k8s_cli.sandbox.kubernetes.errors import forbidden
from anyscale_k8s_cli.sandbox.kubernetes.objects import dig, name_of, namespace_of
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource
from anyscale_k8s_cli.sandbox.kubernetes.scheduling import parse_quantity
from anyscale_k8s_cli.sandbox.kubernetes.store import Store
from anyscale_k8s_cli.sandbox.kubernetes.writes import Admission, Write

_DONE = ("Succeeded", "Failed")
# By their plain names; all else counts as `count/PLURAL.GROUP` alone.
_COUNTED = frozenset(
    ("configmaps", "persistentvolumeclaims", "pods", "resourcequotas", "secrets", "services")
)
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_BINARY = tuple((f"{unit}i", Decimal(1024) ** power) for power, unit in enumerate("KMGT", start=1))

Usage = dict[str, Decimal]


def admit_by_quotas(store: Store) -> Admission:
    """Refuses (403) what a quota of its namespace has no room for."""

    def admit(resource: Resource, obj: Object, old: Object | None, _: Write) -> None:
        if not resource.namespaced:
            return
        for quota in store.items("resourcequotas", namespace_of(obj)):
            if _of_all(quota):
                _check(store, quota, resource, obj, old)

    return admit


def used(store: Store, quota: Object) -> Usage:
    """What counts against the quota now."""
    hard = _hard(quota)
    total: Usage = dict.fromkeys(hard, Decimal(0))
    for resource in store.registry.stored():
        if resource.namespaced and any(_about(resource, name) for name in hard):
            for obj in store.items(resource, namespace_of(quota)):
                for name, amount in _usage(resource, obj).items():
                    if name in total:
                        total[name] += amount
    return total


def told(usage: Mapping[str, Decimal]) -> dict[str, str]:
    return {name: _text(name, amount) for name, amount in usage.items()}


def _check(
    store: Store, quota: Object, resource: Resource, obj: Object, old: Object | None
) -> None:
    hard = _hard(quota)
    if resource.key == "pods" and old is None:
        _check_said(quota, resource, obj, hard)
    before = _usage(resource, old) if old is not None else {}
    asked = {
        name: amount - before.get(name, Decimal(0))
        for name, amount in _usage(resource, obj).items()
        if name in hard and amount > before.get(name, Decimal(0))
    }
    if not asked:
        return
    now = used(store, quota)
    short = sorted(name for name in asked if now[name] + asked[name] > hard[name])
    if short:
        parts = ", ".join(
            f"{what}: {','.join(f'{name}={_text(name, amounts[name])}' for name in short)}"
            for what, amounts in (("requested", asked), ("used", now), ("limited", hard))
        )
        raise forbidden(resource, name_of(obj), f"exceeded quota: {name_of(quota)}, {parts}")


def _check_said(quota: Object, resource: Resource, pod: Object, hard: Usage) -> None:
    """With a quota on it, each container must say how much it takes."""
    lacking = []
    for name in sorted(hard):
        kind, _, what = name.rpartition(".")
        if what not in _COMPUTE or kind not in ("", "requests", "limits"):
            continue
        silent = [
            str(container["name"])
            for container in _containers(pod)
            if what not in (dig(container, "resources", kind or "requests") or {})
        ]
        if silent:
            lacking.append(f"{name} for: {','.join(sorted(silent))}")
    if lacking:
        why = f"failed quota: {name_of(quota)}: must specify {'; '.join(lacking)}"
        raise forbidden(resource, name_of(pod), why)


def _hard(quota: Object) -> Usage:
    hard = quota["spec"].get("hard") or {}
    return {name: parse_quantity(quantity) for name, quantity in hard.items()}


def _of_all(quota: Object) -> bool:
    return not quota["spec"].get("scopes") and not quota["spec"].get("scopeSelector")


def _about(resource: Resource, name: str) -> bool:
    if name == f"count/{resource.key}":
        return True
    if resource.key == "services":
        return name.partition(".")[0] == "services"
    if resource.key == "pods":
        return name == "pods" or not (name in _COUNTED or name.startswith(("count/", "services.")))
    return resource.key in _COUNTED and name == resource.key


def _usage(resource: Resource, obj: Object) -> Usage:
    key = resource.key
    if key == "pods" and dig(obj, "status", "phase") in _DONE:
        return {"count/pods": Decimal(1)}
    usage = {f"count/{key}": Decimal(1)}
    if key in _COUNTED:
        usage[key] = Decimal(1)
    if key == "pods":
        usage |= _compute(obj)
    elif key == "services":
        kind = obj["spec"].get("type")
        usage["services.loadbalancers"] = Decimal(kind == "LoadBalancer")
        usage["services.nodeports"] = Decimal(
            sum("nodePort" in port for port in obj["spec"].get("ports") or ())
        )
    return usage


def _compute(pod: Object) -> Usage:
    """By the names of quotas: a request counts with its kind and without."""
    usage: Usage = {}
    for kind in ("requests", "limits"):
        for name, amount in _greatest(pod, kind).items():
            usage[f"{kind}.{name}"] = amount
            if kind == "requests":
                usage[name] = amount
    return usage


def _greatest(pod: Object, kind: str) -> Usage:
    """Of all containers together, or of the largest that runs before them."""
    total: Usage = {}
    for container in pod["spec"].get("containers") or ():
        for name, quantity in (dig(container, "resources", kind) or {}).items():
            total[name] = total.get(name, Decimal(0)) + parse_quantity(quantity)
    for container in pod["spec"].get("initContainers") or ():
        for name, quantity in (dig(container, "resources", kind) or {}).items():
            total[name] = max(total.get(name, Decimal(0)), parse_quantity(quantity))
    return total


def _containers(pod: Object) -> Iterable[Object]:
    return (*(pod["spec"].get("initContainers") or ()), *(pod["spec"].get("containers") or ()))


def _text(name: str, amount: Decimal) -> str:
    """As the API server writes quantities."""
    if amount != amount.to_integral_value():
        return f"{int(amount * 1000)}m"
    if name.rpartition(".")[2] in ("memory", "ephemeral-storage", "storage"):
        for suffix, size in reversed(_BINARY):
            if amount and not amount % size:
                return f"{int(amount / size)}{suffix}"
    return str(int(amount))
