"""The verbs on objects, with the API server's rules: what HTTP and controllers both use."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from anyscale_k8s_cli.sandbox.kubernetes import errors, patching
from anyscale_k8s_cli.sandbox.kubernetes.decoding import decode
from anyscale_k8s_cli.sandbox.kubernetes.defaults import Addresses, set_defaults, zero_status
from anyscale_k8s_cli.sandbox.kubernetes.objects import (
    clone,
    is_terminating,
    name_of,
    namespace_of,
    random_suffix,
    timestamp,
)
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Registry, Resource
from anyscale_k8s_cli.sandbox.kubernetes.server_side_apply import apply, track_update
from anyscale_k8s_cli.sandbox.kubernetes.storage import Storage, Subscriber
from anyscale_k8s_cli.sandbox.kubernetes.structural import missing_values, violations
from anyscale_k8s_cli.sandbox.kubernetes.structural import set_defaults as set_schema_defaults
from anyscale_k8s_cli.sandbox.kubernetes.validation import check_metadata, check_object
from anyscale_k8s_cli.sandbox.kubernetes.writes import (
    INTERNAL,
    PLAIN,
    Admission,
    Deletion,
    Write,
)

# A generated name must stay fit for a label value.
_LONGEST_BASE = 58
# Fields that only the server sets; a client's values are ignored.
_SERVER_FIELDS = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)

# The class below has a method named `list`, which hides the type from its annotations.
Objects = list[Object]
Dependents = list[tuple[Resource, Object]]


class Store:
    """Objects and their rules. All calls must come from the stand-in's own event loop.

    A resource is given as a :class:`Resource` or as its key (`pods`, `deployments.apps`).
    What comes back must not be changed; `get` and `list` give copies.
    """

    def __init__(self) -> None:
        self.registry = Registry()
        self.storage = Storage()
        self.addresses = Addresses()
        self.admission: list[Admission] = []

    # Reading

    def resource(self, resource: Resource | str) -> Resource:
        return self.registry.by_key(resource) if isinstance(resource, str) else resource

    def find(self, resource: Resource | str, namespace: str, name: str) -> Object | None:
        """The stored object itself, not to be changed, or None."""
        return self.storage.get(self.resource(resource).key, namespace, name)

    def get(self, resource: Resource | str, namespace: str, name: str) -> Object:
        """A copy of the object. Raises a 404 ApiError."""
        return clone(self._live(self.resource(resource), namespace, name))

    def list(self, resource: Resource | str, namespace: str = "") -> Objects:
        """Copies of all objects, of one namespace or of all."""
        return [clone(obj) for obj in self.items(resource, namespace)]

    def items(self, resource: Resource | str, namespace: str = "") -> Objects:
        """The stored objects themselves, not to be changed."""
        key = resource if isinstance(resource, str) else resource.key
        return self.storage.items(key, namespace)

    def dependents(self, uid: str) -> Dependents:
        found = []
        for key, namespace, name in self.storage.dependents(uid):
            obj = self.storage.get(key, namespace, name)
            if obj is not None:
                found.append((self.registry.by_key(key), obj))
        return found

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Hear of every change; returns how to stop. The callback must be quick and not write."""
        return self.storage.subscribe(subscriber)

    def snapshot(self) -> dict[str, Object]:
        """A copy of everything, by `resource/namespace/name` (`//` for cluster-wide objects)."""
        return {"/".join(identity): clone(obj) for identity, obj in self.storage.everything()}

    def _live(self, resource: Resource, namespace: str, name: str) -> Object:
        obj = self.storage.get(resource.key, namespace, name)
        if obj is None:
            raise errors.not_found(resource, name)
        return obj

    # Creating

    def create(
        self,
        resource: Resource | str,
        obj: Object,
        *,
        namespace: str = "",
        write: Write = INTERNAL,
    ) -> Object:
        """Store a new object and return it. Raises ApiErrors as the API does."""
        resource = self.resource(resource)
        obj = decode(resource, clone(obj), write)
        self._place(resource, obj, namespace)
        self._name(resource, obj)
        if self.find(resource, namespace_of(obj), name_of(obj)) is not None:
            raise errors.already_exists(resource, name_of(obj))
        metadata = obj["metadata"]
        if metadata.get("resourceVersion") and write.user is not None:
            raise errors.bad_request("resourceVersion should not be set on objects to be created")
        for name in (*_SERVER_FIELDS, "resourceVersion", "selfLink"):
            metadata.pop(name, None)
        metadata.update(uid=str(uuid.uuid4()), creationTimestamp=timestamp(), generation=1)
        if resource.has_status and not write.with_status:
            obj.pop("status", None)
        if resource.has_status and not resource.crd:
            obj.setdefault("status", zero_status(resource))
        managed = metadata.pop("managedFields", None)
        self._admit(resource, obj, None, write)
        if managed:
            metadata["managedFields"] = managed
        else:
            track_update(None, obj, resource.schema, write.by(resource))
        return obj if write.dry_run else self.storage.put(resource, obj)

    def _place(self, resource: Resource, obj: Object, namespace: str) -> None:
        metadata = obj["metadata"]
        if not resource.namespaced:
            metadata.pop("namespace", None)
            return
        given = metadata.get("namespace") or namespace
        if namespace and given != namespace:
            message = (
                "the namespace of the provided object does not match the namespace sent on the "
                "request"
            )
            raise errors.bad_request(message)
        metadata["namespace"] = given
        holder = self._live(self.resource("namespaces"), "", given)
        if is_terminating(holder):
            raise errors.namespace_terminating(resource, metadata.get("name", ""), given)

    @staticmethod
    def _name(resource: Resource, obj: Object) -> None:
        metadata = obj["metadata"]
        if metadata.get("name"):
            return
        if not metadata.get("generateName"):
            cause = errors.required("metadata.name", "name or generateName is required")
            raise errors.invalid(resource, "", [cause])
        metadata["name"] = metadata["generateName"][:_LONGEST_BASE] + random_suffix()

    def _admit(self, resource: Resource, obj: Object, old: Object | None, write: Write) -> None:
        if resource.crd:
            # After an apply: what the schema fills in belongs to nobody.
            set_schema_defaults(obj, resource.schema)
        else:
            set_defaults(resource, obj, old, self.addresses)
        for admission in self.admission:
            admission(resource, obj, old, write)
        check_metadata(resource, obj, old)
        checked = {name: value for name, value in obj.items() if name != "status"}
        check = violations if resource.crd else missing_values
        causes = list(check(checked, resource.schema))
        if causes:
            raise errors.invalid(resource, name_of(obj), causes)
        check_object(resource, obj, old)

    # Changing

    def update(self, resource: Resource | str, obj: Object, *, write: Write = INTERNAL) -> Object:
        """Replace an object (or its status); nothing happens if nothing differs.

        A resourceVersion in `obj` must be the stored one. Without one there is no lock,
        which clients may do without for some kinds only.
        """
        resource = self.resource(resource)
        old = self._live(resource, namespace_of(obj), name_of(obj))
        obj = decode(resource, clone(obj), write)
        if write.user is not None and not resource.unconditional:
            self._need_lock(resource, obj)
        self._check_lock(resource, obj, old)
        new = self._merge_writable(resource, obj, old, write)
        if write.subresource != "status":
            self._admit(resource, new, old, write)
        given = obj["metadata"].get("managedFields")
        entries = old["metadata"].get("managedFields") if given is None else given
        new["metadata"]["managedFields"] = entries or []
        track_update(old, new, resource.schema, write.by(resource))
        return self._commit(resource, old, new, write)

    def apply(
        self, resource: Resource | str, config: Object, *, write: Write
    ) -> tuple[Object, bool]:
        """Server-side apply; also tells whether the object was created."""
        resource = self.resource(resource)
        old = self.find(resource, namespace_of(config), name_of(config))
        config = decode(resource, clone(config), write)
        if resource.key == "secrets" and "stringData" in config:
            set_defaults(resource, config, None, self.addresses)
        writer = write.by(resource)
        merged = apply(old, config, resource.schema, writer, write.force)
        if old is None:
            return self.create(resource, merged, write=write), True
        self._check_lock(resource, config, old)
        new = self._merge_writable(resource, merged, old, write)
        if write.subresource != "status":
            self._admit(resource, new, old, write)
        new["metadata"]["managedFields"] = merged["metadata"]["managedFields"]
        return self._commit(resource, old, new, write), False

    def patch(
        self,
        resource: Resource | str,
        namespace: str,
        name: str,
        patch: Any,
        *,
        kind: str = "merge",
        write: Write = INTERNAL,
    ) -> Object:
        """Patch an object. `kind` is json, merge or strategic."""
        resource = self.resource(resource)
        live = self._live(resource, namespace, name)
        try:
            if kind == "json":
                new = patching.json_patch(live, patch)
            elif kind == "merge":
                new = patching.merge_patch(live, patch)
            else:
                new = patching.strategic_merge_patch(live, patch, resource.schema)
        except patching.PatchError as error:
            message = f"the server rejected our request due to an error in our request: {error}"
            raise errors.ApiError(422, "Invalid", message) from error
        metadata = new.get("metadata") or {}
        if (metadata.get("name"), metadata.get("namespace", "")) != (name, namespace):
            raise errors.bad_request("the name of the object does not match the name on the URL")
        return self.update(resource, new, write=write)

    @staticmethod
    def _check_lock(resource: Resource, obj: Object, old: Object) -> None:
        wanted, found = obj["metadata"], old["metadata"]
        if wanted.get("resourceVersion", found["resourceVersion"]) != found["resourceVersion"]:
            raise errors.modified(resource, name_of(old))
        uid = wanted.get("uid") or found["uid"]
        if uid != found["uid"]:
            raise errors.precondition_failed(resource, name_of(old), "UID", uid, found["uid"])

    @staticmethod
    def _need_lock(resource: Resource, obj: Object) -> None:
        if not obj["metadata"].get("resourceVersion"):
            why = "must be specified for an update"
            cause = errors.invalid_value("metadata.resourceVersion", "0x0", why)
            raise errors.invalid(resource, name_of(obj), [cause])

    @staticmethod
    def _merge_writable(resource: Resource, obj: Object, old: Object, write: Write) -> Object:
        """What this write may change of `obj`, the rest as it was."""
        if write.subresource == "status":
            return {**old, "metadata": dict(old["metadata"]), "status": obj.get("status", {})}
        new = {**obj, "metadata": dict(obj["metadata"])}
        if resource.has_status:
            new.pop("status", None)
            if "status" in old:
                new["status"] = clone(old["status"])
        for name in (*_SERVER_FIELDS, "namespace", "resourceVersion"):
            new["metadata"].pop(name, None)
            if name in old["metadata"]:
                new["metadata"][name] = old["metadata"][name]
        return new

    def _commit(self, resource: Resource, old: Object, new: Object, write: Write) -> Object:
        metadata = new["metadata"]
        if write.subresource != "status" and _intent(old) != _intent(new):
            metadata["generation"] = old["metadata"].get("generation", 1) + 1
        if not metadata.get("managedFields"):
            metadata.pop("managedFields", None)
        metadata["resourceVersion"] = old["metadata"]["resourceVersion"]
        if new == old or _unchanged(old, new):
            return old
        if write.dry_run:
            return new
        stored = self.storage.put(resource, new)
        dying = is_terminating(stored) and not metadata.get("deletionGracePeriodSeconds")
        if dying and not _finalizers(resource, stored):
            self.storage.remove(resource, stored)
        return stored

    # Deleting

    def delete(
        self,
        resource: Resource | str,
        namespace: str,
        name: str,
        deletion: Deletion = PLAIN,
    ) -> tuple[Object, bool]:
        """Delete an object; also tells whether it is gone, or waits for finalizers or its grace."""
        resource = self.resource(resource)
        old = self._live(resource, namespace, name)
        self._check_preconditions(resource, old, deletion)
        if deletion.dry_run:
            return old, True
        new = clone(old)
        metadata = new["metadata"]
        finalizer = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}.get(
            deletion.propagation
        )
        if finalizer and finalizer not in (metadata.get("finalizers") or ()):
            metadata["finalizers"] = [*(metadata.get("finalizers") or ()), finalizer]
        grace = _grace_period(resource, old, deletion)
        if not grace and not _finalizers(resource, new):
            return self.storage.remove(resource, old), True
        if is_terminating(old):
            if not grace and metadata["deletionGracePeriodSeconds"]:
                metadata["deletionGracePeriodSeconds"] = 0
                return self.storage.put(resource, new), False
            return old, False
        metadata.update(deletionTimestamp=timestamp(), deletionGracePeriodSeconds=grace)
        metadata["generation"] = metadata.get("generation", 1) + 1
        if resource.key == "namespaces":
            new.setdefault("status", {})["phase"] = "Terminating"
        return self.storage.put(resource, new), False

    @staticmethod
    def _check_preconditions(resource: Resource, old: Object, deletion: Deletion) -> None:
        metadata = old["metadata"]
        for label, wanted, found in (
            ("UID", deletion.uid, metadata["uid"]),
            ("ResourceVersion", deletion.resource_version, metadata["resourceVersion"]),
        ):
            if wanted and wanted != found:
                name = name_of(old)
                raise errors.precondition_failed(resource, name, label, wanted, found)

    def remove_finalizer(self, resource: Resource | str, obj: Object, finalizer: str) -> None:
        """Take a finalizer off the stored object, which may be the end of it; safe to repeat."""
        resource = self.resource(resource)
        live = self.find(resource, namespace_of(obj), name_of(obj))
        if live is None or finalizer not in (live["metadata"].get("finalizers") or ()):
            return
        new = clone(live)
        new["metadata"]["finalizers"].remove(finalizer)
        self.update(resource, new, write=Write(manager="kube-controller-manager"))

    def set_status(
        self, resource: Resource | str, obj: Object, status: Object, manager: str = "stand-in"
    ) -> Object:
        """Write an object's status, whatever version of it the caller has seen."""
        live = self._live(self.resource(resource), namespace_of(obj), name_of(obj))
        if live.get("status") == status:
            # Controllers look at everything again and again, and definitions are large.
            return live
        changed: Object = {name: obj[name] for name in ("apiVersion", "kind") if name in obj}
        known = ("name", "namespace", "uid")
        metadata = {name: value for name, value in obj["metadata"].items() if name in known}
        changed |= {"metadata": metadata, "status": status}
        write = Write(manager=manager, subresource="status")
        return self.update(resource, changed, write=write)


def _finalizers(resource: Resource, obj: Object) -> bool:
    if obj["metadata"].get("finalizers"):
        return True
    return resource.key == "namespaces" and bool(obj.get("spec", {}).get("finalizers"))


def _grace_period(resource: Resource, obj: Object, deletion: Deletion) -> int:
    """Only a pod that runs on a node gets time to end."""
    if resource.key != "pods" or not obj["spec"].get("nodeName"):
        return 0
    if obj.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    if deletion.grace_period is not None:
        return deletion.grace_period
    return int(obj["spec"].get("terminationGracePeriodSeconds", 30))


def _intent(obj: Object) -> Object:
    return {name: value for name, value in obj.items() if name not in ("metadata", "status")}


def _unchanged(old: Object, new: Object) -> bool:
    """Equal but for the times in managedFields: such a write leaves the revision alone."""

    def timeless(obj: Object) -> Object:
        entries = obj["metadata"].get("managedFields") or ()
        entries = [{k: v for k, v in entry.items() if k != "time"} for entry in entries]
        return {**obj, "metadata": {**obj["metadata"], "managedFields": entries}}

    return timeless(old) == timeless(new)
