"""Where objects are kept: one revision counter, one log of events behind all watches.

Objects are never changed once stored; a write puts a new one in their place. So
readers may hold on to what they got, but must not change it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from anyscale_k8s_cli.sandbox.kubernetes.objects import name_of, namespace_of, owner_uids
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource

_KEPT_EVENTS = 4000


@dataclass(frozen=True, slots=True)
class Event:
    """One change. `kind` is ADDED, MODIFIED or DELETED; `old` is the object before."""

    revision: int
    kind: str
    key: str
    object: Object
    old: Object | None


Subscriber = Callable[[Event], None]
Identity = tuple[str, str, str]  # resource key, namespace, name


class Storage:
    """Objects by resource, namespace and name. Not safe for threads: it lives in one loop."""

    def __init__(self) -> None:
        self.revision = 1000
        self._tables: dict[str, dict[tuple[str, str], Object]] = {}
        self._log: deque[Event] = deque(maxlen=_KEPT_EVENTS)
        self._dependents: dict[str, set[Identity]] = {}
        self._by_uid: dict[str, Identity] = {}
        self._subscribers: list[Subscriber] = []

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` at each change, before the writer goes on; returns how to stop it."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def get(self, key: str, namespace: str, name: str) -> Object | None:
        return self._tables.get(key, {}).get((namespace, name))

    def items(self, key: str, namespace: str = "") -> list[Object]:
        """Objects in the order of namespace and name, of one namespace or of all."""
        table = self._tables.get(key, {})
        return [table[at] for at in sorted(table) if not namespace or at[0] == namespace]

    def everything(self) -> Iterator[tuple[Identity, Object]]:
        for key, table in self._tables.items():
            for (namespace, name), obj in list(table.items()):
                yield (key, namespace, name), obj

    def dependents(self, uid: str) -> list[Identity]:
        """The objects that name this uid as an owner."""
        return sorted(self._dependents.get(uid, ()))

    def owners(self) -> list[str]:
        """The uids that some object names as its owner."""
        return list(self._dependents)

    def by_uid(self, uid: str) -> Object | None:
        identity = self._by_uid.get(uid)
        return self.get(*identity) if identity else None

    def put(self, resource: Resource, obj: Object) -> Object:
        identity = (resource.key, namespace_of(obj), name_of(obj))
        table = self._tables.setdefault(resource.key, {})
        old = table.get(identity[1:])
        self._index(identity, old, obj)
        self._stamp(obj)
        table[identity[1:]] = obj
        self._emit(Event(self.revision, "MODIFIED" if old else "ADDED", resource.key, obj, old))
        return obj

    def remove(self, resource: Resource, obj: Object) -> Object:
        """Take an object out; the answer carries the revision of its removal."""
        identity = (resource.key, namespace_of(obj), name_of(obj))
        old = self._tables[resource.key].pop(identity[1:])
        self._index(identity, old, None)
        last = {**old, "metadata": dict(old["metadata"])}
        self._stamp(last)
        self._emit(Event(self.revision, "DELETED", resource.key, last, old))
        return last

    def events_since(self, revision: int) -> list[Event] | None:
        """Events after a revision; None if the log no longer reaches back that far."""
        if (
            self._log
            and len(self._log) == self._log.maxlen
            and revision < self._log[0].revision - 1
        ):
            return None
        return [event for event in self._log if event.revision > revision]

    def forget_events(self) -> None:
        """Drop the log, so that watches from an old revision get 410."""
        oldest = Event(self.revision, "", "", {}, None)
        self._log = deque([oldest] * _KEPT_EVENTS, maxlen=_KEPT_EVENTS)

    def _stamp(self, obj: Object) -> None:
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)

    def _emit(self, event: Event) -> None:
        self._log.append(event)
        for subscriber in list(self._subscribers):
            subscriber(event)

    def _index(self, identity: Identity, old: Object | None, new: Object | None) -> None:
        if new is None and old is not None:
            self._by_uid.pop(old["metadata"]["uid"], None)
        elif new is not None:
            self._by_uid[new["metadata"]["uid"]] = identity
        before = owner_uids(old) if old else set()
        after = owner_uids(new) if new else set()
        for uid in before - after:
            self._dependents[uid].discard(identity)
            if not self._dependents[uid]:
                del self._dependents[uid]
        for uid in after - before:
            self._dependents.setdefault(uid, set()).add(identity)
