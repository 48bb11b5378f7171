"""Event objects: what components tell about other objects."""

from __future__ import annotations

from anyscale_k8s_cli.sandbox.kubernetes.errors import ApiError
from anyscale_k8s_cli.sandbox.kubernetes.objects import (
    clone,
    name_of,
    namespace_of,
    random_suffix,
    timestamp,
)
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.store import Store


def record_event(
    store: Store, obj: Object, reason: str, message: str, *, component: str, warning: bool = False
) -> None:
    """Tell something about an object; the same again only counts up.

    Like the real recorder it never fails: in a namespace that is going away nothing is told.
    """
    namespace = namespace_of(obj) or "default"
    uid = obj["metadata"]["uid"]
    now = timestamp()
    for event in store.items("events", namespace):
        same_object = event["involvedObject"].get("uid") == uid
        if same_object and (event["reason"], event["message"]) == (reason, message):
            again = clone(event)
            again.update(count=event.get("count", 1) + 1, lastTimestamp=now)
            store.update("events", again)
            return
    event = {
        "metadata": {"name": f"{name_of(obj)}.{random_suffix(16)}", "namespace": namespace},
        "involvedObject": {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "name": name_of(obj),
            "namespace": namespace_of(obj),
            "uid": uid,
            "resourceVersion": obj["metadata"].get("resourceVersion", ""),
        },
        "reason": reason,
        "message": message,
        "type": "Warning" if warning else "Normal",
        "source": {"component": component},
        "reportingComponent": component,
        "reportingInstance": "",
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
    try:
        store.create("events", event)
    except ApiError as error:
        if error.reason not in ("Forbidden", "NotFound"):
            raise
