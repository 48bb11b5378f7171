"""The Kubernetes client over the wire."""

from __future__ import annotations

import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.access import BearerToken
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.transport import KubernetesError
from anyscale_k8s_cli.events import CallMade, StepWaiting
from anyscale_k8s_cli.run import Run, StillWaiting
from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule

SETTINGS = Reference("v1", "ConfigMap", "settings", "default")


def config_map(name: str = "settings", **data: str) -> Document:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def test_absent_object_and_absent_kind_are_none(world: Any) -> None:
    assert world.kubernetes.get("v1", "ConfigMap", "nothing", "default") is None
    assert world.kubernetes.get("example.com/v1", "Thing", "nothing") is None
    assert world.kubernetes.list("example.com/v1", "Thing") == []
    assert not world.kubernetes.serves("example.com/v1", "Thing")


def test_create_twice_says_already_exists(world: Any) -> None:
    world.kubernetes.create(config_map(a="1"))
    with pytest.raises(KubernetesError) as caught:
        world.kubernetes.create(config_map(a="2"))
    assert caught.value.reason == "AlreadyExists"
    assert caught.value.code is errors.CLUSTER_FAILED


def test_lists_are_read_in_pages_and_items_know_their_kind(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        world.kubernetes.create(config_map(f"page-{number}"))
    monkeypatch.setattr("anyscale_k8s_cli.cluster.kubernetes.PAGE", 2)
    found = world.kubernetes.list("v1", "ConfigMap", "default")
    names = [item["metadata"]["name"] for item in found]
    assert [name for name in names if name.startswith("page-")] == [
        f"page-{number}" for number in range(5)
    ]
    assert {item["kind"] for item in found} == {"ConfigMap"}


def test_apply_patch_replace_delete(world: Any) -> None:
    kubernetes = world.kubernetes
    made = kubernetes.apply(config_map(a="1"))
    assert (
        kubernetes.apply(config_map(a="1"))["metadata"]["resourceVersion"]
        == (made["metadata"]["resourceVersion"])
    )
    patched = kubernetes.patch_merge(SETTINGS, {"data": {"b": "2"}})
    assert patched["data"] == {"a": "1", "b": "2"}
    with pytest.raises(KubernetesError) as caught:
        kubernetes.replace(made)
    assert caught.value.reason == "Conflict"
    kubernetes.delete(SETTINGS, uid="some-other-object")
    assert kubernetes.get("v1", "ConfigMap", "settings", "default") is not None
    kubernetes.delete(SETTINGS, uid=made["metadata"]["uid"])
    kubernetes.wait_gone(SETTINGS, timeout=5)
    kubernetes.delete(SETTINGS)
    assert kubernetes.patch_merge(SETTINGS, {"data": {}}) is None


def test_dry_run_writes_nothing(world: Any) -> None:
    world.kubernetes.create(config_map(), dry_run=True)
    assert world.kubernetes.get("v1", "ConfigMap", "settings", "default") is None


def test_unauthenticated_names_the_principal_and_how_to_let_it_in(world: Any) -> None:
    stranger = Kubernetes(world.access("no such token"), world.run)
    with pytest.raises(KubernetesError) as caught:
        stranger.get("v1", "Namespace", "default")
    problem = caught.value
    assert problem.code is errors.CLUSTER_UNAUTHENTICATED
    assert "arn:test:user/someone" in problem.cause
    assert problem.fix == "grant-access --to someone"


def test_forbidden_names_verb_and_resource(world: Any) -> None:
    nobody = Kubernetes(world.access(world.nobody), world.run)
    with pytest.raises(KubernetesError) as caught:
        nobody.list("v1", "Secret", "default")
    assert caught.value.code is errors.CLUSTER_FORBIDDEN
    assert "secrets" in caught.value.cause
    assert "list" in caught.value.cause
    role, binding, *_, again = caught.value.fix.splitlines()
    name = "anyscale-k8s-list-secrets"
    assert role.endswith(f"create clusterrole {name} --verb=list --resource=secrets")
    assert binding.endswith(f"clusterrolebinding {name} --clusterrole={name} --user=nobody")
    assert "then run the same command again" in again


def test_a_rule_of_an_administrator_is_no_missing_right(world: Any) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {"configmaps": "0"}}}
    world.kubernetes.create({**quota, "metadata": {"name": "none", "namespace": "default"}})
    made = {"apiVersion": "v1", "kind": "ConfigMap"}

    with pytest.raises(KubernetesError) as caught:
        world.kubernetes.create({**made, "metadata": {"name": "a", "namespace": "default"}})
    assert caught.value.code is errors.ADMISSION_DENIED
    assert caught.value.cause.startswith("the ResourceQuota none: requested: configmaps=1")
    assert "describe resourcequota none -n default" in caught.value.fix


def test_rights_are_asked_for(world: Any) -> None:
    nobody = Kubernetes(world.access(world.nobody), world.run)
    assert not nobody.can_i("create", "namespaces")
    assert world.kubernetes.can_i("create", "namespaces")
    assert world.kubernetes.can_i("create", "deployments", group="apps", namespace="x")


def test_an_expired_token_is_renewed_once(world: Any) -> None:
    given: list[str] = []

    def token() -> BearerToken:
        given.append("expired" if not given else world.admin)
        return BearerToken(given[-1])

    kubernetes = Kubernetes(world.access(token=token), world.run)
    assert kubernetes.get("v1", "Namespace", "default") is not None
    assert given == ["expired", world.admin]


def test_a_token_is_renewed_before_its_end(world: Any) -> None:
    count = [0]

    def token() -> BearerToken:
        count[0] += 1
        return BearerToken(world.admin, datetime.now(UTC) + timedelta(seconds=30))

    kubernetes = Kubernetes(world.access(token=token), world.run)
    kubernetes.version()
    kubernetes.version()
    assert count[0] == 2


def test_unreachable_is_said_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(KubernetesError) as caught:
        _elsewhere(f"https://127.0.0.1:{port}").version()
    assert caught.value.code is errors.CLUSTER_UNREACHABLE
    assert "refused" in caught.value.cause
    assert time.monotonic() - started < 15


def test_another_authority_is_a_tls_problem(world: Any) -> None:
    with pytest.raises(KubernetesError) as caught:
        _elsewhere(world.standin.url).version()
    assert caught.value.code is errors.CLUSTER_UNREACHABLE
    assert caught.value.cause.startswith("TLS: ")


def _elsewhere(endpoint: str) -> Kubernetes:
    from anyscale_k8s_cli.cluster.access import ClusterAccess
    from anyscale_k8s_cli.sandbox.tls import Authority

    access = ClusterAccess(endpoint, Authority().ca_pem.decode(), lambda: BearerToken("x"))
    return Kubernetes(access, Run())


@pytest.mark.parametrize(
    "rule",
    [
        FaultRule(FaultKind.THROTTLE, service="kubernetes", times=2),
        FaultRule(FaultKind.DROP, service="kubernetes", times=2),
        FaultRule(FaultKind.ERROR, service="kubernetes", times=2, status=503),
    ],
)
def test_what_is_transient_is_asked_again(world: Any, rule: FaultRule) -> None:
    world.kubernetes.version()
    world.wire.inject(rule)
    assert world.kubernetes.get("v1", "Namespace", "default") is not None


def test_a_write_that_failed_inside_is_not_repeated(world: Any) -> None:
    world.kubernetes.serves("v1", "ConfigMap")
    world.wire.inject(FaultRule(FaultKind.ERROR, service="kubernetes", times=1, status=500))
    with pytest.raises(KubernetesError) as caught:
        world.kubernetes.create(config_map())
    assert caught.value.status == 500


def test_calls_are_reported_without_secrets(world: Any) -> None:
    world.kubernetes.get("v1", "Namespace", "default")
    calls = [event for event in world.events if isinstance(event, CallMade)]
    assert "GET /api/v1/namespaces/default" in {call.call for call in calls}
    assert world.admin not in repr(world.events)


def test_watch_sees_creation_change_and_removal(world: Any) -> None:
    kubernetes = world.kubernetes
    seen: list[str] = []

    def done(found: Document | None) -> str:
        step = "absent" if found is None else found["data"]["step"]
        if step not in seen:
            seen.append(step)
        if step == "last":
            return "done"
        raise StillWaiting(f"step is {step}")

    def act() -> None:
        for step in ("first", "last"):
            kubernetes.apply(config_map(step=step))

    actor = threading.Timer(0.1, act)
    actor.start()
    answer = kubernetes.watch_until(SETTINGS, done, what="the last step", timeout=10)
    actor.join()
    assert answer == "done"
    assert seen[0] == "absent"
    assert seen[-1] == "last"
    details = [event.detail for event in world.events if isinstance(event, StepWaiting)]
    assert "step is absent" in details


def test_watch_goes_on_when_the_server_has_forgotten(world: Any) -> None:
    world.kubernetes.apply(config_map(step="first"))
    world.wire.inject(FaultRule(FaultKind.ERROR, operation="GET */configmaps", nth=2, status=410))

    def done(found: Document | None) -> None:
        if found is None or found["data"]["step"] != "last":
            raise StillWaiting("not yet")

    actor = threading.Timer(0.3, lambda: world.kubernetes.apply(config_map(step="last")))
    actor.start()
    world.kubernetes.watch_until(SETTINGS, done, what="the last step", timeout=15)
    actor.join()
    assert [rule.fired for rule in world.wire.rules] == [1]


def test_watch_ends_in_a_typed_timeout_with_what_was_seen(world: Any) -> None:
    def done(found: Document | None) -> None:
        raise StillWaiting("nothing there")

    with pytest.raises(errors.CliError) as caught:
        world.kubernetes.watch_until(SETTINGS, done, what="wonders", timeout=0.5)
    assert caught.value.code is errors.TIMED_OUT
    assert caught.value.cause == "nothing there"


def test_a_wait_is_interrupted(world: Any) -> None:
    def done(found: Document | None) -> None:
        raise StillWaiting("not yet")

    stopper = threading.Timer(0.2, world.run.stop)
    stopper.start()
    started = time.monotonic()
    with pytest.raises(errors.CliError) as caught:
        world.kubernetes.watch_until(SETTINGS, done, what="wonders", timeout=60)
    stopper.join()
    assert caught.value.code is errors.INTERRUPTED
    assert time.monotonic() - started < 10


def test_stuck_deletion_names_the_finalizer_and_leaves_it(world: Any) -> None:
    manifest = config_map()
    manifest["metadata"]["finalizers"] = ["example.com/hold"]
    world.kubernetes.create(manifest)
    world.kubernetes.delete(SETTINGS)
    with pytest.raises(errors.CliError) as caught:
        world.kubernetes.wait_gone(SETTINGS, timeout=0.5)
    assert caught.value.code is errors.LEFTOVERS
    assert "example.com/hold" in caught.value.cause
    held = world.kubernetes.get("v1", "ConfigMap", "settings", "default")
    assert held["metadata"]["finalizers"] == ["example.com/hold"]


def test_service_account_token_for_an_audience(world: Any) -> None:
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "worker", "namespace": "default"},
    }
    world.kubernetes.create(account)
    token = world.kubernetes.token_request("default", "worker", "sts.example")
    assert token.count(".") == 2
    assert token not in repr(world.events)


def test_version_and_uid(world: Any) -> None:
    assert world.kubernetes.version().startswith("1.33")
    assert len(world.kubernetes.uid()) == 36
