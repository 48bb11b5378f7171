"""What controllers that own pods share: making them from a template, counting them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from anyscale_k8s_cli.sandbox.kubernetes.cluster_events import record_event
from anyscale_k8s_cli.sandbox.kubernetes.controllers.manager import BY_CONTROLLER
from anyscale_k8s_cli.sandbox.kubernetes.disruption import is_ready
from anyscale_k8s_cli.sandbox.kubernetes.errors import ApiError
from anyscale_k8s_cli.sandbox.kubernetes.objects import (
    clone,
    controller_uid,
    dig,
    is_terminating,
    name_of,
    namespace_of,
    owned_by,
    random_suffix,
)
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource
from anyscale_k8s_cli.sandbox.kubernetes.storage import Event
from anyscale_k8s_cli.sandbox.kubernetes.store import Store

_DONE = ("Succeeded", "Failed")


class KindController:
    """A controller of all objects of one kind; looks again when what they own changes."""

    resource = ""
    owns: frozenset[str] = frozenset()

    def __init__(self, store: Store) -> None:
        self.store = store

    def wants(self, event: Event) -> bool:
        return event.key == self.resource or event.key in self.owns

    def objects(self) -> Iterable[Object]:
        return self.store.items(self.resource)

    def kind(self) -> Resource:
        return self.store.resource(self.resource)

    def owned(self, resource: str, owner: Object) -> list[Object]:
        """The objects of a kind that this owner controls."""
        uid = owner["metadata"]["uid"]
        found = (obj for r, obj in self.store.dependents(uid) if r.key == resource)
        return [obj for obj in found if controller_uid(obj) == uid]

    def pods_of(self, owner: Object) -> list[Object]:
        return [pod for pod in self.owned("pods", owner) if not is_terminating(pod)]

    def make_pod(
        self, owner: Object, template: Object, *, name: str = "", changes: Object | None = None
    ) -> str:
        """Create a pod from a template. Returns why it was refused (an event says so), or ''."""
        template = clone(template)
        name = name or f"{name_of(owner)}-{random_suffix()}"
        pod = {
            "metadata": {
                **(template.get("metadata") or {}),
                "name": name,
                "ownerReferences": [owned_by(owner, self.kind())],
            },
            "spec": {**template["spec"], **(changes or {})},
        }
        try:
            self.store.create("pods", pod, namespace=namespace_of(owner), write=BY_CONTROLLER)
        except ApiError as error:
            self.tell(owner, "FailedCreate", f"Error creating: {error}", warning=True)
            return str(error)
        self.tell(owner, "SuccessfulCreate", f"Created pod: {name}")
        return ""

    def tell(self, owner: Object, reason: str, message: str, *, warning: bool = False) -> None:
        component = f"{owner['kind'].lower()}-controller"
        record_event(self.store, owner, reason, message, component=component, warning=warning)

    def delete_pod(self, pod: Object) -> None:
        self.store.delete("pods", namespace_of(pod), name_of(pod))


def is_active(pod: Object) -> bool:
    return not is_terminating(pod) and dig(pod, "status", "phase") not in _DONE


def ready_count(pods: Iterable[Object]) -> int:
    return sum(map(is_ready, pods))


def template_hash(template: Object) -> str:
    """A short name for a pod template, the same for equal ones."""
    text = json.dumps(template, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
