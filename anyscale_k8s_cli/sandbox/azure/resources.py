"""Everything in the subscription that has an id, by that id without regard to case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

GROUPS = "Microsoft.Resources/resourceGroups"
STORAGE_ACCOUNTS = "Microsoft.Storage/storageAccounts"
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
CLUSTERS = "Microsoft.ContainerService/managedClusters"
PUBLIC_ADDRESSES = "Microsoft.Network/publicIPAddresses"
LOAD_BALANCERS = "Microsoft.Network/loadBalancers"
VIRTUAL_NETWORKS = "Microsoft.Network/virtualNetworks"


@dataclass
class Resource:
    """One resource. `extra` are members beside `properties`: kind, sku, identity."""

    id: str
    type: str
    location: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.id.rsplit("/", 1)[-1]

    @property
    def group(self) -> str:
        """The name of its resource group."""
        return self.id.split("/")[4]

    def head(self, *, with_tags: bool = True) -> dict[str, Any]:
        """What lists of all kinds of resources say of it."""
        shown: dict[str, Any] = {"id": self.id, "name": self.name, "type": self.type}
        if self.location:
            shown["location"] = self.location
        if with_tags:
            shown["tags"] = dict(self.tags)
        return shown | self.extra

    def as_json(self) -> dict[str, Any]:
        return {**self.head(), "properties": dict(self.properties)}


class Resources:
    """The resources of one subscription."""

    def __init__(self, subscription_id: str, monotonic: Callable[[], float]) -> None:
        self.subscription_id = subscription_id
        self._monotonic = monotonic
        self._leaving: dict[str, float] = {}
        # Whoever keeps something beside a resource lets go of it then.
        self.on_removal: list[Callable[[Resource], None]] = []
        self._items: dict[str, Resource] = {}

    @property
    def scope(self) -> str:
        return f"/subscriptions/{self.subscription_id}"

    def group_id(self, group: str) -> str:
        return f"{self.scope}/resourceGroups/{group}"

    def id(self, group: str, kind: str, name: str) -> str:
        return f"{self.group_id(group)}/providers/{kind}/{name}"

    def find(self, resource_id: str) -> Resource | None:
        self._sweep()
        return self._items.get(resource_id.lower())

    def group(self, name: str) -> Resource | None:
        return self.find(self.group_id(name))

    def named(self, group: str, kind: str, name: str) -> Resource | None:
        return self.find(self.id(group, kind, name))

    def put(self, resource: Resource) -> Resource:
        self._leaving.pop(resource.id.lower(), None)
        self._items[resource.id.lower()] = resource
        return resource

    def leave(self, resource: Resource, seconds: float) -> None:
        """Remove it after a while, during which it is still seen."""
        self._leaving[resource.id.lower()] = self._monotonic() + seconds

    def _sweep(self) -> None:
        now = self._monotonic()
        for key in [key for key, at in self._leaving.items() if now >= at]:
            del self._leaving[key]
            if key in self._items:
                self.remove(self._items[key])

    def remove(self, resource: Resource) -> None:
        self._items.pop(resource.id.lower(), None)
        self._leaving.pop(resource.id.lower(), None)
        for forget in self.on_removal:
            forget(resource)

    def under(self, scope: str) -> list[Resource]:
        """Everything but resource groups below a scope."""
        self._sweep()
        return [
            item for item in self._items.values() if item.type != GROUPS and within(item.id, scope)
        ]

    def of(self, kind: str, group: str = "") -> list[Resource]:
        """The resources of a type, in the whole subscription or in one group."""
        self._sweep()
        scope = self.group_id(group) if group else self.scope
        return [
            item
            for item in self._items.values()
            if item.type.lower() == kind.lower() and within(item.id, scope)
        ]


def within(resource_id: str, scope: str) -> bool:
    """Whether something is at a scope or below it."""
    inner, outer = resource_id.lower().rstrip("/"), scope.lower().rstrip("/")
    return inner == outer or inner.startswith(outer + "/")


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Properties after a change that names some of them, at any depth."""
    result = dict(old)
    for key, value in new.items():
        before = result.get(key)
        both = isinstance(value, Mapping) and isinstance(before, Mapping)
        result[key] = merged(before, value) if both and before is not None else value
    return result
