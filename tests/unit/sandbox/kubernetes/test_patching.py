"""Patches: the three formats on plain objects."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli.sandbox.kubernetes.patching import (
    PatchError,
    json_patch,
    merge_patch,
    strategic_merge_patch,
)
from anyscale_k8s_cli.sandbox.kubernetes.schema import builtin_schema

DEPLOYMENT = builtin_schema("apps", "v1", "Deployment")
SERVICE = builtin_schema("", "v1", "Service")


def deployment(*containers: dict[str, object]) -> dict[str, object]:
    return {"spec": {"template": {"spec": {"containers": list(containers)}}}}


def test_a_merge_patch_replaces_lists_and_null_deletes() -> None:
    target = {"a": [1, 2], "b": {"c": 1, "d": 2}}
    assert merge_patch(target, {"a": [3], "b": {"c": None}}) == {"a": [3], "b": {"d": 2}}
    assert target == {"a": [1, 2], "b": {"c": 1, "d": 2}}


def test_a_json_patch_whose_test_fails_is_refused() -> None:
    operations = [{"op": "test", "path": "/a", "value": 2}, {"op": "remove", "path": "/a"}]
    with pytest.raises(PatchError):
        json_patch({"a": 1}, operations)


def test_containers_merge_by_name() -> None:
    target = deployment({"name": "a", "image": "a:1", "args": ["x"]}, {"name": "b", "image": "b:1"})
    patch = deployment({"name": "b", "image": "b:2"}, {"name": "c", "image": "c:1"})
    assert strategic_merge_patch(target, patch, DEPLOYMENT) == deployment(
        {"name": "a", "image": "a:1", "args": ["x"]},
        {"name": "b", "image": "b:2"},
        {"name": "c", "image": "c:1"},
    )


def test_arguments_are_replaced_as_a_whole() -> None:
    target = deployment({"name": "a", "args": ["x", "y"]})
    patch = deployment({"name": "a", "args": ["z"]})
    assert strategic_merge_patch(target, patch, DEPLOYMENT) == patch


def test_an_item_can_be_deleted_by_its_key() -> None:
    target = deployment({"name": "a"}, {"name": "b"})
    patch = deployment({"$patch": "delete", "name": "a"})
    assert strategic_merge_patch(target, patch, DEPLOYMENT) == deployment({"name": "b"})


def test_the_order_of_items_can_be_set_without_changing_them() -> None:
    target = {"spec": {"template": {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}}}
    order = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}
    patch = {"spec": {"template": {"spec": order}}}
    assert strategic_merge_patch(target, patch, DEPLOYMENT) == deployment(
        {"name": "b"}, {"name": "a"}
    )


def test_an_item_without_its_key_is_refused() -> None:
    with pytest.raises(PatchError, match="declared merge key: name"):
        strategic_merge_patch({}, deployment({"image": "a"}), DEPLOYMENT)


def test_service_ports_merge_by_port() -> None:
    target = {"spec": {"ports": [{"port": 80, "targetPort": 1}, {"port": 443}]}}
    patch = {"spec": {"ports": [{"port": 80, "targetPort": 2}]}}
    merged = strategic_merge_patch(target, patch, SERVICE)
    assert merged == {"spec": {"ports": [{"port": 80, "targetPort": 2}, {"port": 443}]}}


def test_finalizers_are_added_and_taken_away_one_by_one() -> None:
    target = {"metadata": {"finalizers": ["a", "b"]}}
    patch = {"metadata": {"finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"]}}
    merged = strategic_merge_patch(target, patch, SERVICE)
    assert sorted(merged["metadata"]["finalizers"]) == ["b", "c"]


def test_retained_keys_drop_the_others() -> None:
    target = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    merged = strategic_merge_patch(target, patch, DEPLOYMENT)
    assert merged == {"spec": {"strategy": {"type": "Recreate"}}}
