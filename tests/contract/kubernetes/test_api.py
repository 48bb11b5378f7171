"""The verbs as the Python client uses them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client, watch
from kubernetes.client.rest import ApiException

from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule

Refused = Callable[[Callable[[], Any]], tuple[int, str]]
Eventually = Callable[[Callable[[], Any]], Any]


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"app": name[0]}}, "data": data}


def test_create_read_change_delete(core: client.CoreV1Api, refused: Refused) -> None:
    created = core.create_namespaced_config_map("default", config_map("c", a="1"))
    created.data["a"] = "2"
    assert core.replace_namespaced_config_map("c", "default", created).data == {"a": "2"}
    stale = refused(lambda: core.replace_namespaced_config_map("c", "default", created))
    assert stale[0] == 409
    patched = core.patch_namespaced_config_map("c", "default", {"data": {"b": "3"}})
    assert patched.data == {"a": "2", "b": "3"}
    core.delete_namespaced_config_map("c", "default")
    assert refused(lambda: core.read_namespaced_config_map("c", "default")) == (
        404,
        'configmaps "c" not found',
    )


def test_lists_come_in_pages_and_by_label(core: client.CoreV1Api, refused: Refused) -> None:
    for name in ("a1", "a2", "a3", "b1"):
        core.create_namespaced_config_map("default", config_map(name))
    first = core.list_namespaced_config_map("default", label_selector="app=a", limit=2)
    assert [item.metadata.name for item in first.items] == ["a1", "a2"]
    core.delete_namespaced_config_map("a3", "default")
    rest = core.list_namespaced_config_map("default", limit=2, _continue=first.metadata._continue)
    assert [item.metadata.name for item in rest.items] == ["a3"]
    assert refused(lambda: core.list_namespaced_config_map("default", _continue="old"))[0] == 410
    core.delete_collection_namespaced_config_map("default", label_selector="app=a")
    left = {item.metadata.name for item in core.list_namespaced_config_map("default").items}
    assert left == {"b1", "kube-root-ca.crt"}


def test_a_watch_goes_on_from_a_list(core: client.CoreV1Api) -> None:
    version = core.list_namespaced_config_map("default").metadata.resource_version
    core.create_namespaced_config_map("default", config_map("w", a="1"))
    core.patch_namespaced_config_map("w", "default", {"data": {"a": "2"}})
    core.delete_namespaced_config_map("w", "default")
    stream = watch.Watch().stream(
        core.list_namespaced_config_map,
        "default",
        resource_version=version,
        field_selector="metadata.name=w",
        timeout_seconds=1,
    )
    assert [event["type"] for event in stream] == ["ADDED", "MODIFIED", "DELETED"]


def test_a_watch_from_too_long_ago_is_expired(cluster: Any, core: client.CoreV1Api) -> None:
    async def forget() -> None:
        cluster.standin.store.storage.forget_events()

    cluster.call(forget())
    stream = watch.Watch().stream(
        core.list_namespaced_config_map, "default", resource_version="1", timeout_seconds=1
    )
    with pytest.raises(ApiException) as gone:
        list(stream)
    assert gone.value.status == 410


def test_a_watch_list_ends_its_start_with_a_bookmark(cluster: Any, core: client.CoreV1Api) -> None:
    answer = core.list_namespace(
        watch=True,
        send_initial_events=True,
        resource_version_match="NotOlderThan",
        allow_watch_bookmarks=True,
        timeout_seconds=1,
        _preload_content=False,
    )
    events = [json.loads(line) for line in answer.read().decode().splitlines()]
    assert [event["type"] for event in events[:5]] == ["ADDED"] * 4 + ["BOOKMARK"]
    last = events[4]["object"]
    assert (last["kind"], last["apiVersion"]) == ("Namespace", "v1")
    assert last["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_a_watch_is_recorded_when_it_starts(
    cluster: Any, core: client.CoreV1Api, eventually: Eventually
) -> None:
    names: list[str] = []

    def follow() -> None:
        stream = watch.Watch()
        for event in stream.stream(core.list_namespaced_secret, "default", timeout_seconds=30):
            names.append(event["object"].metadata.name)
            stream.stop()

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    eventually(lambda: [c for c in cluster.wire.calls() if "secrets" in c.path and c.status == 200])
    core.create_namespaced_secret("default", {"metadata": {"name": "s"}})
    follower.join(10)
    assert names == ["s"]


def test_patches_that_cannot_be_applied_are_refused(
    cluster: Any, core: client.CoreV1Api, refused: Refused
) -> None:
    core.create_namespaced_config_map("default", config_map("c"))
    operation = [{"op": "test", "path": "/data/a", "value": "1"}]
    assert refused(lambda: core.patch_namespaced_config_map("c", "default", operation))[0] == 422


def test_a_dry_run_stores_nothing_and_is_no_write(cluster: Any, core: client.CoreV1Api) -> None:
    core.create_namespaced_config_map("default", config_map("c"), dry_run="All")
    names = {item.metadata.name for item in core.list_namespaced_config_map("default").items}
    assert "c" not in names
    assert cluster.wire.calls(writes_only=True) == []


def test_what_the_wire_sees(cluster: Any, core: client.CoreV1Api) -> None:
    secret = {"metadata": {"name": "s"}, "stringData": {"password": "hunter2"}}
    core.create_namespaced_secret("default", secret)
    call = cluster.wire.calls(writes_only=True)[-1]
    assert call.operation.name == "POST /api/v1/namespaces/{namespace}/secrets"
    assert call.operation.resource == "secrets/default/s"
    assert call.operation.principal == "admin"
    assert call.status == 201
    assert "hunter2" not in json.dumps(call.as_json())


def test_a_fault_strikes_by_pattern(cluster: Any, core: client.CoreV1Api, refused: Refused) -> None:
    rule = FaultRule(FaultKind.ERROR, operation="POST *configmaps", status=500, message="broken")
    cluster.wire.inject(rule)
    action = lambda: core.create_namespaced_config_map("default", config_map("c"))  # noqa: E731
    assert refused(action) == (500, "broken")
    action()


CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["size"],
                                "properties": {"size": {"type": "integer", "enum": [1, 2]}},
                            },
                            "status": {"type": "object", "properties": {"ok": {"type": "boolean"}}},
                        },
                    }
                },
            }
        ],
    },
}


def test_custom_resources_are_served_checked_and_withdrawn(
    cluster: Any, eventually: Eventually, refused: Refused
) -> None:
    definitions = client.ApiextensionsV1Api(cluster.api())
    custom = client.CustomObjectsApi(cluster.api())
    where = ("example.com", "v1", "default", "widgets")
    definitions.create_custom_resource_definition(CRD)
    eventually(
        lambda: (
            definitions.read_custom_resource_definition("widgets.example.com").status
            and definitions.read_custom_resource_definition("widgets.example.com").status.conditions
        )
    )
    widget: dict[str, Any] = {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": "w"},
        "spec": {"size": 3},
        "status": {"ok": True},
    }
    code, message = refused(lambda: custom.create_namespaced_custom_object(*where, widget))
    assert (code, message) == (
        422,
        'Widget.example.com "w" is invalid: spec.size: Unsupported value: 3: supported values: '
        "1, 2",
    )
    widget["spec"]["size"] = 2
    created = custom.create_namespaced_custom_object(*where, widget)
    assert "status" not in created
    created["status"] = {"ok": True}
    custom.patch_namespaced_custom_object_status(*where, "w", {"status": {"ok": True}})
    assert custom.get_namespaced_custom_object(*where, "w")["status"] == {"ok": True}
    definitions.delete_custom_resource_definition("widgets.example.com")
    eventually(lambda: definitions.list_custom_resource_definition().items == [])
    assert refused(lambda: custom.list_namespaced_custom_object(*where))[0] == 404
