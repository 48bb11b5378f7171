"""What the API server refuses although the caller has every right: locks, names, times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client

Refused = Callable[[Callable[[], Any]], tuple[int, str]]
Eventually = Callable[[Callable[[], Any]], Any]

# Not at a full second: there the Python client leaves the digits out, and is refused.
MICRO = "2026-01-02T03:04:05.000001Z"


def lease(**spec: Any) -> dict[str, Any]:
    wanted = {"holderIdentity": "one", "leaseDurationSeconds": 60, "renewTime": MICRO, **spec}
    return {"metadata": {"name": "lock"}, "spec": wanted}


def config_map(**metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "c", **metadata}}


@pytest.fixture
def leases(cluster: Any) -> client.CoordinationV1Api:
    return client.CoordinationV1Api(cluster.api())


def test_a_lease_is_taken_by_whoever_saw_its_last_state(
    leases: client.CoordinationV1Api, refused: Refused
) -> None:
    leases.create_namespaced_lease("default", lease())
    seen = leases.read_namespaced_lease("lock", "default")
    taken = leases.read_namespaced_lease("lock", "default")
    taken.spec.holder_identity = "two"
    leases.replace_namespaced_lease("lock", "default", taken)
    seen.spec.holder_identity = "three"
    code, told = refused(lambda: leases.replace_namespaced_lease("lock", "default", seen))
    assert code == 409
    assert "the object has been modified" in told
    assert refused(lambda: leases.create_namespaced_lease("default", lease()))[0] == 409
    assert leases.read_namespaced_lease("lock", "default").spec.holder_identity == "two"


def test_a_lease_cannot_be_replaced_blindly(
    leases: client.CoordinationV1Api, refused: Refused
) -> None:
    leases.create_namespaced_lease("default", lease())
    code, told = refused(lambda: leases.replace_namespaced_lease("lock", "default", lease()))
    assert (code, told) == (
        422,
        'Lease.coordination.k8s.io "lock" is invalid: metadata.resourceVersion: Invalid value: '
        "0x0: must be specified for an update",
    )


@pytest.mark.parametrize(
    ("spec", "code", "told"),
    [
        ({"leaseDurationSeconds": 0}, 422, "must be greater than 0"),
        ({"leaseTransitions": -1}, 422, "must be greater than or equal to 0"),
        ({"renewTime": "2026-01-02T03:04:05Z"}, 400, "cannot be handled as a Lease: parsing time"),
        ({"acquireTime": "2026-01-02T03:04:05Z"}, 400, "parsing time"),
    ],
)
def test_a_lease_is_well_formed(
    leases: client.CoordinationV1Api, refused: Refused, spec: dict[str, Any], code: int, told: str
) -> None:
    found, message = refused(lambda: leases.create_namespaced_lease("default", lease(**spec)))
    assert found == code
    assert told in message


def test_some_kinds_may_be_replaced_blindly(core: client.CoreV1Api) -> None:
    core.create_namespaced_config_map("default", config_map())
    blind = {**config_map(), "data": {"a": "1"}}
    assert core.replace_namespaced_config_map("c", "default", blind).data == {"a": "1"}


def test_what_is_created_has_no_version_yet(core: client.CoreV1Api, refused: Refused) -> None:
    found = core.create_namespaced_config_map("default", config_map())
    core.delete_namespaced_config_map("c", "default")
    # What was read before it was deleted is no manifest to create it again from.
    code, told = refused(lambda: core.create_namespaced_config_map("default", found))
    assert (code, told) == (400, "resourceVersion should not be set on objects to be created")


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"name": "Upper"}, "RFC 1123 subdomain"),
        ({"labels": {"a b": "x"}}, "metadata.labels"),
        ({"labels": {"a": "x/y"}}, "a valid label must be"),
        ({"labels": {"a": "x" * 64}}, "no more than 63 characters"),
        ({"annotations": {"anyscale-k8s/user of prod": "x"}}, "metadata.annotations"),
        ({"annotations": {"UPPER.example.com/x": "x"}}, "prefix part"),
        ({"finalizers": ["ours"]}, "nor is it fully qualified"),
    ],
)
def test_metadata_has_its_rules(
    core: client.CoreV1Api, refused: Refused, metadata: dict[str, Any], told: str
) -> None:
    code, message = refused(
        lambda: core.create_namespaced_config_map("default", config_map(**metadata))
    )
    assert code == 422
    assert told in message


def test_finalizers_hold_an_object_and_cannot_be_added_late(
    core: client.CoreV1Api, refused: Refused
) -> None:
    core.create_namespaced_config_map("default", config_map(finalizers=["example.com/hold"]))
    core.delete_namespaced_config_map("c", "default")
    held = core.read_namespaced_config_map("c", "default")
    assert held.metadata.deletion_timestamp is not None
    assert refused(lambda: core.create_namespaced_config_map("default", config_map()))[0] == 409
    more = {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}
    code, told = refused(lambda: core.patch_namespaced_config_map("c", "default", more))
    assert code == 422
    assert "no new finalizers can be added if the object is being deleted" in told
    core.patch_namespaced_config_map("c", "default", {"metadata": {"finalizers": None}})
    assert refused(lambda: core.read_namespaced_config_map("c", "default"))[0] == 404


def test_a_deletion_with_the_wrong_uid_is_refused(core: client.CoreV1Api, refused: Refused) -> None:
    core.create_namespaced_config_map("default", config_map())
    another = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid="another"))
    code, told = refused(lambda: core.delete_namespaced_config_map("c", "default", body=another))
    assert code == 409
    assert "Precondition failed: UID" in told


RIGHTS = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch", "get"]}]


def let_joe(cluster: Any, rules: list[dict[str, Any]]) -> None:
    rbac = client.RbacAuthorizationV1Api(cluster.api())
    rbac.create_cluster_role({"metadata": {"name": "joe"}, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "joe"}
    joe = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "joe"}
    rbac.create_cluster_role_binding(
        {"metadata": {"name": "joe"}, "roleRef": role, "subjects": [joe]}
    )


def applied(api: client.ApiClient, text: str, *, manager: str, force: bool = False) -> Any:
    return client.CoreV1Api(api).patch_namespaced_config_map(
        "c",
        "default",
        {"apiVersion": "v1", "kind": "ConfigMap", "data": {"text": text}},
        field_manager=manager,
        force=force,
        _content_type="application/apply-patch+yaml",
    )


def test_applying_what_is_not_there_needs_the_right_to_create(
    cluster: Any, core: client.CoreV1Api, refused: Refused
) -> None:
    let_joe(cluster, RIGHTS)
    joe = cluster.api("joes-token")
    code, told = refused(lambda: applied(joe, "one", manager="joe"))
    assert code == 403
    assert 'cannot create resource "configmaps"' in told
    core.create_namespaced_config_map("default", config_map())
    assert applied(joe, "one", manager="joe").data == {"text": "one"}


def test_an_apply_meets_the_fields_of_others(cluster: Any, refused: Refused) -> None:
    admin = cluster.api()
    applied(admin, "one", manager="first")
    code, told = refused(lambda: applied(admin, "two", manager="second"))
    assert code == 409
    assert 'conflict with "first"' in told
    assert ".data.text" in told
    assert applied(admin, "two", manager="second", force=True).data == {"text": "two"}
    # The first one's field was taken from it; to have it back it must insist, too.
    assert refused(lambda: applied(admin, "one", manager="first"))[0] == 409


def test_nobody_grants_more_than_they_hold(cluster: Any, refused: Refused) -> None:
    rbac = {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["*"], "verbs": ["*"]}
    without = {**rbac, "verbs": ["create", "get", "update"]}
    let_joe(cluster, [*RIGHTS, without])
    joe = client.RbacAuthorizationV1Api(cluster.api("joes-token"))
    held = {"metadata": {"name": "held"}, "rules": RIGHTS}
    joe.create_namespaced_role("default", held)
    secrets = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
    more = {"metadata": {"name": "more"}, "rules": secrets}
    code, told = refused(lambda: joe.create_namespaced_role("default", more))
    assert code == 403
    assert "attempting to grant RBAC permissions not currently held" in told


def test_a_binding_keeps_its_role(cluster: Any, refused: Refused) -> None:
    let_joe(cluster, RIGHTS)
    rbac = client.RbacAuthorizationV1Api(cluster.api())
    binding = rbac.read_cluster_role_binding("joe")
    binding.role_ref.name = "admin"
    code, told = refused(lambda: rbac.replace_cluster_role_binding("joe", binding))
    assert code == 422
    assert "cannot change roleRef" in told
