"""The rules of the verbs: locks, names, finalizers, what may not change."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.sandbox.kubernetes.errors import ApiError
from anyscale_k8s_cli.sandbox.kubernetes.store import Store
from anyscale_k8s_cli.sandbox.kubernetes.writes import Deletion, Write


@pytest.fixture
def store() -> Store:
    store = Store()
    store.create("namespaces", {"metadata": {"name": "default"}})
    return store


def config_map(name: str = "c", **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


def deployment(**changes: Any) -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "web:1"}]},
    }
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template, **changes}
    return {"metadata": {"name": "web", "namespace": "default"}, "spec": spec}


def refusal(caught: pytest.ExceptionInfo[ApiError]) -> tuple[int, str]:
    return caught.value.status, caught.value.reason


def test_a_created_object_has_what_the_server_gives_it(store: Store) -> None:
    created = store.create("configmaps", config_map(a="1"))
    metadata = created["metadata"]
    assert created["kind"] == "ConfigMap"
    assert created["apiVersion"] == "v1"
    assert {"uid", "resourceVersion", "creationTimestamp", "generation"} <= metadata.keys()


def test_a_name_is_taken_once(store: Store) -> None:
    store.create("configmaps", config_map())
    with pytest.raises(ApiError, match='configmaps "c" already exists') as caught:
        store.create("configmaps", config_map())
    assert refusal(caught) == (409, "AlreadyExists")


def test_a_name_can_be_generated(store: Store) -> None:
    obj = {"metadata": {"generateName": "c-", "namespace": "default"}}
    names = {store.create("configmaps", obj)["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5


@pytest.mark.parametrize("name", ["Upper", "under_score", "-x", "x" * 254])
def test_names_are_checked(store: Store, name: str) -> None:
    with pytest.raises(ApiError, match=r"metadata.name: Invalid value") as caught:
        store.create("configmaps", config_map(name))
    assert refusal(caught) == (422, "Invalid")


def test_labels_are_checked(store: Store) -> None:
    obj = config_map()
    obj["metadata"]["labels"] = {"a": "not/allowed"}
    with pytest.raises(ApiError, match="a valid label must be"):
        store.create("configmaps", obj)


def test_an_old_version_cannot_be_written_back(store: Store) -> None:
    old = store.create("configmaps", config_map(a="1"))
    store.patch("configmaps", "default", "c", {"data": {"a": "2"}})
    with pytest.raises(ApiError, match="the object has been modified") as caught:
        store.update("configmaps", {**old, "data": {"a": "3"}})
    assert refusal(caught) == (409, "Conflict")


def test_writing_the_same_leaves_the_version_alone(store: Store) -> None:
    created = store.create("deployments.apps", deployment())
    again = store.update("deployments.apps", created)
    assert again["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]
    assert again["metadata"]["generation"] == 1


def test_only_intent_raises_the_generation(store: Store) -> None:
    created = store.create("deployments.apps", deployment())
    store.set_status("deployments.apps", created, {"replicas": 1})
    store.patch("deployments.apps", "default", "web", {"metadata": {"labels": {"x": "y"}}})
    assert store.get("deployments.apps", "default", "web")["metadata"]["generation"] == 1
    scaled = store.patch("deployments.apps", "default", "web", {"spec": {"replicas": 3}})
    assert scaled["metadata"]["generation"] == 2
    assert scaled["status"] == {"replicas": 1}


def test_a_dry_run_leaves_no_trace(store: Store) -> None:
    before = store.snapshot()
    store.create("configmaps", config_map(), write=Write(dry_run=True))
    assert store.snapshot() == before


def test_a_finalizer_holds_an_object(store: Store) -> None:
    obj = config_map()
    obj["metadata"]["finalizers"] = ["example.com/hold"]
    store.create("configmaps", obj)
    held, gone = store.delete("configmaps", "default", "c")
    assert not gone
    assert held["metadata"]["deletionTimestamp"]
    store.remove_finalizer("configmaps", held, "example.com/hold")
    assert store.find("configmaps", "default", "c") is None


def test_a_precondition_must_hold(store: Store) -> None:
    store.create("configmaps", config_map())
    with pytest.raises(ApiError, match="UID in precondition: other"):
        store.delete("configmaps", "default", "c", Deletion(uid="other"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"selector": {"matchLabels": {"app": "x"}}}, "does not match template `labels`"),
        ({"selector": {}}, "spec.selector: Required value"),
        ({"replicas": "two"}, "json: cannot unmarshal string into Go struct field .spec.replicas"),
        ({"template": {"spec": {"containers": []}}}, "spec.template.spec.containers: Required"),
    ],
)
def test_a_deployment_must_make_sense(store: Store, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError) as caught:
        store.create("deployments.apps", deployment(**changes))
    assert message in caught.value.message


def test_an_unknown_field_is_dropped_or_refused(store: Store) -> None:
    odd = deployment(replica=3)
    with pytest.raises(ApiError, match=r'strict decoding error: unknown field "spec\.replica"'):
        store.create("deployments.apps", odd, write=Write(validation="Strict"))
    warned = Write(validation="Warn")
    created = store.create("deployments.apps", odd, write=warned)
    assert "replica" not in created["spec"]
    assert warned.warnings == ['unknown field "spec.replica"']


def test_selectors_and_immutable_data_stay(store: Store) -> None:
    store.create("deployments.apps", deployment())
    labels = {"app": "web", "x": "y"}
    changed = deployment(selector={"matchLabels": labels})
    changed["spec"]["template"]["metadata"]["labels"] = labels
    with pytest.raises(ApiError, match=r"spec.selector: Invalid value: field is immutable"):
        store.update("deployments.apps", changed)
    store.create("configmaps", {**config_map(a="1"), "immutable": True})
    with pytest.raises(ApiError, match="field is immutable when `immutable` is set"):
        store.patch("configmaps", "default", "c", {"data": {"a": "2"}})


def test_a_namespace_must_be_there_and_stay(store: Store) -> None:
    nowhere = {"metadata": {"name": "c", "namespace": "nowhere"}}
    with pytest.raises(ApiError, match='namespaces "nowhere" not found'):
        store.create("configmaps", nowhere)
    store.delete("namespaces", "", "default")
    with pytest.raises(ApiError, match="because it is being terminated") as caught:
        store.create("configmaps", config_map())
    assert refusal(caught) == (403, "Forbidden")


def test_secrets_take_text_and_refuse_what_is_not_base64(store: Store) -> None:
    secret = {"metadata": {"name": "s", "namespace": "default"}, "stringData": {"a": "b"}}
    assert store.create("secrets", secret)["data"] == {"a": "Yg=="}
    bad = {"metadata": {"name": "t", "namespace": "default"}, "data": {"a": "%%"}}
    with pytest.raises(ApiError, match="illegal base64 data"):
        store.create("secrets", bad)


def test_copies_are_handed_out(store: Store) -> None:
    store.create("configmaps", config_map(a="1"))
    store.get("configmaps", "default", "c")["data"]["a"] = "changed"
    store.list("configmaps")[0]["data"]["a"] = "changed"
    assert store.snapshot()["configmaps/default/c"]["data"] == {"a": "1"}
