"""RBAC: who may do what, and in which words it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.sandbox.kubernetes import bootstrap
from anyscale_k8s_cli.sandbox.kubernetes.authorization import (
    RBAC,
    Attributes,
    Authorizer,
    escalation_guard,
)
from anyscale_k8s_cli.sandbox.kubernetes.errors import ApiError
from anyscale_k8s_cli.sandbox.kubernetes.store import Store
from anyscale_k8s_cli.sandbox.kubernetes.users import User, authenticated
from anyscale_k8s_cli.sandbox.kubernetes.writes import Write

JOE = authenticated(User("joe"))
ADMIN = User("root", ("system:masters",))
BOT = User("system:serviceaccount:team:bot", ("system:serviceaccounts",))


@pytest.fixture
def store() -> Store:
    store = Store()
    bootstrap.seed(store)
    store.create("namespaces", {"metadata": {"name": "team"}})
    return store


def grant(store: Store, rule: dict[str, Any], subject: dict[str, str], namespace: str = "") -> None:
    """A role with one rule, bound to one subject; cluster-wide without a namespace."""
    role, binding = ("roles", "rolebindings") if namespace else ("clusterroles",) * 2
    if not namespace:
        binding = "clusterrolebindings"
    kind = "Role" if namespace else "ClusterRole"
    store.create(
        f"{role}.{RBAC}", {"metadata": {"name": "r"}, "rules": [rule]}, namespace=namespace
    )
    store.create(
        f"{binding}.{RBAC}",
        {
            "metadata": {"name": "b"},
            "roleRef": {"apiGroup": RBAC, "kind": kind, "name": "r"},
            "subjects": [subject],
        },
        namespace=namespace,
    )


READ_PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}
USER_JOE = {"kind": "User", "name": "joe", "apiGroup": RBAC}
ACCOUNT_BOT = {"kind": "ServiceAccount", "name": "bot", "namespace": "team"}


def test_a_role_holds_in_its_namespace_only(store: Store) -> None:
    grant(store, READ_PODS, USER_JOE, "team")
    may = Authorizer(store)
    assert may.allows(JOE, Attributes("list", resource="pods", namespace="team"))
    assert not may.allows(JOE, Attributes("list", resource="pods", namespace="default"))
    assert not may.allows(JOE, Attributes("list", resource="pods"))
    assert not may.allows(JOE, Attributes("delete", resource="pods", namespace="team"))


def test_a_cluster_role_bound_cluster_wide_holds_everywhere(store: Store) -> None:
    grant(store, READ_PODS, ACCOUNT_BOT)
    may = Authorizer(store)
    assert may.allows(BOT, Attributes("list", resource="pods"))
    assert may.allows(BOT, Attributes("get", resource="pods", namespace="default", name="p"))
    assert not may.allows(JOE, Attributes("list", resource="pods"))


def test_a_subresource_needs_its_own_right(store: Store) -> None:
    grant(store, READ_PODS, USER_JOE)
    logs = Attributes("get", resource="pods", subresource="log", namespace="team", name="p")
    assert not Authorizer(store).allows(JOE, logs)


def test_resource_names_narrow_a_rule(store: Store) -> None:
    rule = {**READ_PODS, "resources": ["secrets"], "resourceNames": ["mine"]}
    grant(store, rule, USER_JOE)
    may = Authorizer(store)
    assert may.allows(JOE, Attributes("get", resource="secrets", namespace="team", name="mine"))
    assert not may.allows(JOE, Attributes("get", resource="secrets", namespace="team", name="x"))
    assert not may.allows(JOE, Attributes("list", resource="secrets", namespace="team"))


def test_everybody_authenticated_may_look_around(store: Store) -> None:
    assert Authorizer(store).allows(JOE, Attributes("get", path="/apis/apps/v1"))
    assert not Authorizer(store).allows(JOE, Attributes("get", path="/metrics"))
    assert Authorizer(store).allows(ADMIN, Attributes("get", path="/metrics"))


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            Attributes("list", resource="pods", namespace="team"),
            'pods is forbidden: User "joe" cannot list resource "pods" in API group "" in the '
            'namespace "team"',
        ),
        (
            Attributes("get", "apps", "deployments", "scale", "team", "web"),
            'deployments.apps "web" is forbidden: User "joe" cannot get resource '
            '"deployments/scale" in API group "apps" in the namespace "team"',
        ),
        (
            Attributes("list", resource="nodes"),
            'nodes is forbidden: User "joe" cannot list resource "nodes" in API group "" at the '
            "cluster scope",
        ),
        (
            Attributes("get", path="/metrics"),
            'forbidden: User "joe" cannot get path "/metrics"',
        ),
    ],
)
def test_a_refusal_reads_like_the_real_one(store: Store, wanted: Attributes, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        Authorizer(store).check(JOE, wanted)
    assert (caught.value.status, caught.value.message) == (403, message)


def test_nobody_grants_more_than_he_holds(store: Store) -> None:
    store.admission.append(escalation_guard(Authorizer(store)))
    grant(store, READ_PODS, USER_JOE)
    within = {"metadata": {"name": "within"}, "rules": [READ_PODS]}
    beyond = {"metadata": {"name": "beyond"}, "rules": [{**READ_PODS, "verbs": ["delete"]}]}
    store.create(f"clusterroles.{RBAC}", within, write=Write(user=JOE))
    with pytest.raises(ApiError, match="attempting to grant RBAC permissions not currently held"):
        store.create(f"clusterroles.{RBAC}", beyond, write=Write(user=JOE))
    binding = {
        "metadata": {"name": "b2"},
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [USER_JOE],
    }
    with pytest.raises(ApiError, match="not currently held"):
        store.create(f"clusterrolebindings.{RBAC}", binding, write=Write(user=JOE))
    store.create(f"clusterrolebindings.{RBAC}", binding, write=Write(user=ADMIN))
