"""What is checked and changed when a pod is created."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.sandbox.kubernetes import bootstrap
from anyscale_k8s_cli.sandbox.kubernetes.admission import admit_pods
from anyscale_k8s_cli.sandbox.kubernetes.errors import ApiError
from anyscale_k8s_cli.sandbox.kubernetes.store import Store

LEVEL = "pod-security.kubernetes.io/enforce"


def inject(pod: dict[str, Any], account: dict[str, Any] | None) -> None:
    role = ((account or {})["metadata"].get("annotations") or {}).get("role")
    if role:
        pod["spec"]["containers"][0].setdefault("env", []).append({"name": "ROLE", "value": role})


@pytest.fixture
def store() -> Store:
    store = Store()
    bootstrap.seed(store)
    store.admission.append(admit_pods(store, [inject]))
    account = {"metadata": {"name": "bot", "annotations": {"role": "reader"}}}
    store.create("serviceaccounts", account, namespace="default")
    return store


def create(store: Store, *, level: str = "", **spec: Any) -> dict[str, Any]:
    if level:
        store.patch("namespaces", "", "default", {"metadata": {"labels": {LEVEL: level}}})
    container = {"name": "main", "image": "x:1", **spec.pop("container", {})}
    body = {"containers": [container], "serviceAccountName": "bot", **spec}
    return store.create("pods", {"metadata": {"name": "p"}, "spec": body}, namespace="default")


def test_a_hook_changes_a_new_pod(store: Store) -> None:
    pod = create(store)
    assert pod["spec"]["containers"][0]["env"] == [{"name": "ROLE", "value": "reader"}]


def test_the_service_account_must_exist(store: Store) -> None:
    with pytest.raises(ApiError) as caught:
        create(store, serviceAccountName="nobody")
    assert caught.value.message == (
        'pods "p" is forbidden: error looking up service account default/nobody: '
        'serviceaccount "nobody" not found'
    )


def test_the_priority_class_must_exist(store: Store) -> None:
    with pytest.raises(ApiError, match="no PriorityClass with name high was found"):
        create(store, priorityClassName="high")
    assert create(store, priorityClassName="system-node-critical")["spec"]["priority"] > 10**9


@pytest.mark.parametrize(
    ("spec", "violation"),
    [
        ({"hostNetwork": True}, "host namespaces (hostNetwork=true)"),
        (
            {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]},
            'hostPath volumes (volume "v")',
        ),
        (
            {"container": {"securityContext": {"capabilities": {"add": ["SYS_PTRACE"]}}}},
            'non-default capabilities (container "main" must not include "SYS_PTRACE" in '
            "securityContext.capabilities.add)",
        ),
    ],
)
def test_the_baseline_refuses(store: Store, spec: dict[str, Any], violation: str) -> None:
    with pytest.raises(ApiError) as caught:
        create(store, level="baseline", **spec)
    assert caught.value.message == (
        f'pods "p" is forbidden: violates PodSecurity "baseline:latest": {violation}'
    )
    assert create(store, level="privileged", **spec)


def test_the_restricted_level_wants_everything_said(store: Store) -> None:
    with pytest.raises(ApiError) as caught:
        create(store, level="restricted")
    for rule in ("allowPrivilegeEscalation != false", "unrestricted capabilities", "runAsNonRoot"):
        assert rule in caught.value.message
    careful = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert create(store, container={"securityContext": careful})
