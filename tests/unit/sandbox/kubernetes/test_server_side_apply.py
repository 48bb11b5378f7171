"""Server-side apply: owners of fields, conflicts, what is pruned."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.sandbox.kubernetes.errors import ApiError
from anyscale_k8s_cli.sandbox.kubernetes.store import Store
from anyscale_k8s_cli.sandbox.kubernetes.writes import Write


@pytest.fixture
def store() -> Store:
    store = Store()
    store.create("namespaces", {"metadata": {"name": "default"}})
    return store


def config(**data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "default"},
        "data": data,
    }


def apply(
    store: Store, obj: dict[str, Any], manager: str, *, force: bool = False
) -> dict[str, Any]:
    resource = {"ConfigMap": "configmaps", "Service": "services"}[obj["kind"]]
    return store.apply(resource, obj, write=Write(manager=manager, force=force))[0]


def owners(obj: dict[str, Any]) -> dict[str, Any]:
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"]["managedFields"]}


def test_apply_creates_and_owns_what_it_says(store: Store) -> None:
    created = apply(store, config(a="1"), "one")
    assert owners(created) == {"one": {"f:data": {"f:a": {}}}}


def test_the_same_again_changes_nothing(store: Store) -> None:
    created = apply(store, config(a="1"), "one")
    assert apply(store, config(a="1"), "one") == created


def test_a_field_no_longer_applied_goes_unless_another_owns_it(store: Store) -> None:
    apply(store, config(a="1", b="2"), "one")
    apply(store, config(b="2"), "two")
    assert apply(store, config(), "one")["data"] == {"b": "2"}


def test_another_value_for_someone_elses_field_is_a_conflict(store: Store) -> None:
    apply(store, config(a="1"), "one")
    with pytest.raises(ApiError) as caught:
        apply(store, config(a="2"), "two")
    assert caught.value.status == 409
    assert caught.value.message == 'Apply failed with 1 conflict: conflict with "one": .data.a'


def test_force_takes_the_field_over(store: Store) -> None:
    apply(store, config(a="1"), "one")
    forced = apply(store, config(a="2"), "two", force=True)
    assert forced["data"] == {"a": "2"}
    assert owners(forced) == {"two": {"f:data": {"f:a": {}}}}


def test_the_conflict_with_an_update_names_its_version(store: Store) -> None:
    apply(store, config(a="1"), "helm")
    store.patch(
        "configmaps", "default", "c", {"data": {"a": "x"}}, write=Write(manager="kubectl-patch")
    )
    with pytest.raises(ApiError) as caught:
        apply(store, config(a="2"), "helm")
    assert caught.value.message == (
        'Apply failed with 1 conflict: conflict with "kubectl-patch" using v1: .data.a'
    )


def test_items_of_keyed_lists_have_owners_of_their_own(store: Store) -> None:
    def service(*ports: int) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "s", "namespace": "default"},
            "spec": {"ports": [{"name": f"p{port}", "port": port} for port in ports]},
        }

    apply(store, service(80), "one")
    both = apply(store, service(443), "two")
    assert [port["port"] for port in both["spec"]["ports"]] == [80, 443]
    one = apply(store, service(443), "one")
    assert [port["port"] for port in one["spec"]["ports"]] == [443]


def test_a_client_may_rewrite_managed_fields(store: Store) -> None:
    created = store.create("configmaps", config(a="1"), write=Write(manager="old"))
    entry = {**created["metadata"]["managedFields"][0], "manager": "new", "operation": "Apply"}
    operation = {"op": "replace", "path": "/metadata/managedFields", "value": [entry]}
    patched = store.patch("configmaps", "default", "c", [operation], kind="json")
    assert list(owners(patched)) == ["new"]
    assert apply(store, config(), "new").get("data") in (None, {})
