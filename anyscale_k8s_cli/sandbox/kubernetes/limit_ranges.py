"""LimitRanges: what a namespace fills in for containers, and between what it keeps them.

https://kubernetes.io/docs/concepts/policy/limit-range/
Of containers and pods; a ratio (`maxLimitRequestRatio`) and volumes are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from anyscale_k8s_cli.sandbox.kubernetes.errors import forbidden
from anyscale_k8s_cli.sandbox.kubernetes.objects import name_of, namespace_of
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource
from anyscale_k8s_cli.sandbox.kubernetes.scheduling import parse_quantity
from anyscale_k8s_cli.sandbox.kubernetes.store import Store


def keep_within(store: Store, resource: Resource, pod: Object) -> None:
    """Fill in what the pod leaves out, and refuse what is out of range (403)."""
    ranges = store.items("limitranges", namespace_of(pod))
    items = [item for found in ranges for item in found["spec"].get("limits") or ()]
    for item in items:
        if item["type"] == "Container":
            _fill_in(pod, item)
    causes = [cause for item in items for cause in _outside(pod, item)]
    if causes:
        why = causes[0] if len(causes) == 1 else f"[{', '.join(causes)}]"
        raise forbidden(resource, name_of(pod), why)


def _fill_in(pod: Object, item: Object) -> None:
    for container in _containers(pod):
        resources = container.setdefault("resources", {})
        for kind, default in (("limits", "default"), ("requests", "defaultRequest")):
            for name, quantity in (item.get(default) or {}).items():
                resources.setdefault(kind, {}).setdefault(name, str(quantity))


def _outside(pod: Object, item: Object) -> Iterator[str]:
    what = item["type"]
    if what == "Container":
        for container in _containers(pod):
            resources = container.get("resources") or {}
            asked, limit = resources.get("requests") or {}, resources.get("limits") or {}
            yield from _breaches(what, item, asked, limit)
    elif what == "Pod":
        yield from _breaches(what, item, _together(pod, "requests"), _together(pod, "limits"))


def _breaches(
    what: str, item: Object, asked: Mapping[str, str], limit: Mapping[str, str]
) -> Iterator[str]:
    for name, most in sorted((item.get("max") or {}).items()):
        said = f"maximum {name} usage per {what} is {most}"
        if name not in limit:
            yield f"{said}.  No limit is specified"
        elif parse_quantity(limit[name]) > parse_quantity(most):
            yield f"{said}, but limit is {limit[name]}"
        elif name in asked and parse_quantity(asked[name]) > parse_quantity(most):
            yield f"{said}, but request is {asked[name]}"
    for name, least in sorted((item.get("min") or {}).items()):
        said = f"minimum {name} usage per {what} is {least}"
        if name not in asked:
            yield f"{said}.  No request is specified"
        elif parse_quantity(asked[name]) < parse_quantity(least):
            yield f"{said}, but request is {asked[name]}"
        elif name in limit and parse_quantity(limit[name]) < parse_quantity(least):
            yield f"{said}, but limit is {limit[name]}"


def _together(pod: Object, kind: str) -> dict[str, str]:
    total: dict[str, Decimal] = {}
    for container in pod["spec"].get("containers") or ():
        for name, quantity in ((container.get("resources") or {}).get(kind) or {}).items():
            total[name] = total.get(name, Decimal(0)) + parse_quantity(quantity)
    return {name: str(quantity) for name, quantity in total.items()}


def _containers(pod: Object) -> list[Object]:
    spec = pod["spec"]
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
